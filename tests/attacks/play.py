"""Plays the steps of an attack in real sessions, and says where one went otherwise."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from ..servers import Server
from .attack import ROOT, Step


@dataclass
class Answer:
    """What came of a step: ok, a SQLSTATE, an exit code, blocked, or ended."""

    state: str = ""
    value: object = None
    said: str = ""


@dataclass
class Stage:
    """A database, and the sessions that are open in it."""

    server: Server
    database: str
    root: Path = ROOT
    names: dict[str, Any] = field(default_factory=dict)
    sessions: dict[str, psycopg.Connection] = field(default_factory=dict)
    at_work: dict[str, tuple[threading.Thread, Answer]] = field(default_factory=dict)
    last: Answer = field(default_factory=Answer)

    def __post_init__(self) -> None:
        self.names["db"] = self.database
        self.names["other"] = self.dsn("other:installer")

    def dsn(self, role: str) -> str:
        """Return how a role logs in, `other:ROLE` to a second database."""
        other, _, role = role.rpartition(":")
        who = {} if role == "postgres" else {"user": role}
        return self.server.dsn(database=self.database + "_o" * bool(other), **who)

    def session(self, name: str, role: str) -> psycopg.Connection:
        if name not in self.sessions:
            self.sessions[name] = psycopg.connect(self.dsn(role), autocommit=True)
        return self.sessions[name]

    def leave(self) -> None:
        """End all sessions."""
        for session in self.sessions.values():
            session.close()
        self.sessions.clear()

    def close(self) -> None:
        """End all sessions, and drop the second database."""
        self.leave()
        with psycopg.connect(self.server.dsn(), autocommit=True) as admin:
            drop = f"drop database if exists {self.database}_o with (force)"
            admin.execute(drop.encode())


@dataclass(frozen=True)
class Fall:
    """A step that met what it must not."""

    step: Step
    answer: Answer
    problem: str

    @property
    def is_through(self) -> bool:
        """Whether the attack did what it tries, rather than fail in another way."""
        through = self.step.expected.get("through", "ok|0|blocked")
        return self.step.must and self.answer.state in through.split("|")


def play(stage: Stage, steps: tuple[Step, ...]) -> Fall | None:
    """Take the steps; return the first that met what it must not."""
    major = stage.session("-", "postgres").info.server_version // 10000
    for step in steps:
        least, most = step.expected.get("servers", "14-99").split("-")
        if int(least) <= major <= int(most):
            answer = _take(stage, step)
            stage.last = answer or stage.last
            if answer and (problem := _judge(step, answer)):
                return Fall(step, answer, problem)
            if answer and (name := step.expected.get("save")):
                stage.names[name] = answer.value
    return None


def _take(stage: Stage, step: Step) -> Answer | None:
    """Take a step; return nothing of a session that is left at work."""
    text = re.sub(r"\$\{(\w+)\}", lambda found: str(stage.names[found[1]]), step.text)
    if step.role.startswith("cli:"):
        return _command(stage, step, text)
    if step.role == "join":
        thread, answer = stage.at_work.pop(step.session)
    else:
        answer = Answer()
        session = stage.session(step.session, step.role)
        thread = threading.Thread(
            target=_send, args=(session, text, answer), daemon=True
        )
        thread.start()
        if step.at_work:
            stage.at_work[step.session] = thread, answer
            time.sleep(0.3)
            return None
    thread.join(step.limit)
    if thread.is_alive():
        stage.sessions[step.session].cancel()
        thread.join(5)
        answer.state = "blocked"
    return answer


def _send(session: psycopg.Connection, text: str, answer: Answer) -> None:
    """Send statements as one message; keep the first value of the last result."""
    try:
        cursor = session.execute(text.encode())
        value = None
        while True:
            if cursor.description:
                found = cursor.fetchone()
                value = found[0] if found else None
            if not cursor.nextset():
                break
        answer.state, answer.value = "ok", value
    except psycopg.Error as error:
        answer.state = "ended" if session.closed else error.sqlstate or "none"
        diag = error.diag
        parts = (diag.message_primary, diag.message_detail, diag.message_hint)
        answer.said = "\n".join(part for part in parts if part) or str(error)
        answer.value = answer.said


def _command(stage: Stage, step: Step, text: str) -> Answer:
    """Run a command of agentdb as a role, from the sources that are tried."""
    environment = {**os.environ, "PYTHONPATH": str(stage.root)}
    environment["AGENTDB_DSN"] = stage.dsn(step.role.removeprefix("cli:"))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "agentdb", *shlex.split(text)],
            env=environment,
            cwd=stage.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=step.limit + 45,
        )
    except subprocess.TimeoutExpired:
        return Answer("blocked")
    said = done.stdout.decode(errors="replace")
    return Answer(str(done.returncode), said, said[-500:])


def _judge(step: Step, answer: Answer) -> str:
    """Return what was otherwise than expected, or nothing."""
    wanted = step.expected.get("is", "0" if step.role.startswith("cli:") else "ok")
    value = str(answer.value)
    fits = (
        answer.state in wanted.split("|")
        and step.expected.get("value", value) == value
        and re.search(step.expected.get("like", ""), value, re.DOTALL)
        and not re.search(step.expected.get("unlike", r"(?!)"), value, re.DOTALL)
    )
    if fits:
        return ""
    more = " ".join(f"{k}={v}" for k, v in step.expected.items() if k != "save")
    return (
        f"step {step.number} ({step.session}, {step.role}) met {answer.state} "
        f"{value[:300]!r} {answer.said[:300]}; expected {more or wanted}"
    )
