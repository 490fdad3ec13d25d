"""The demonstration and `agentdb up`, as processes of their own."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from rich.console import Console

from agentdb.demo import demo
from agentdb.demo.demo import recordings

from .processes import interruptible
from .scene import until


def test_demo_catches_the_run_over_its_budget() -> None:
    out = io.StringIO()
    assert demo(Console(file=out, width=100), factor=60)
    said = out.getvalue()
    (alert,) = re.findall(
        r"CRITICAL (A-\d+) conversation_budget: conversation (\S+)", said
    )
    assert alert[1] == "coding-ponyc-4595"
    # What the summary prints is the answer to the SQL that it prints.
    assert re.search(rf"{alert[0]} +coding-ponyc-4595 +567,716", said)
    events = [
        event
        for runs in recordings().values()
        for recorded in runs.values()
        for event in recorded
    ]
    calls = sum(event["kind"] == "tool_call" for event in events)
    tokens = sum(
        event["input"] + event["output"]
        for event in events
        if event["kind"] == "tokens"
    )
    assert f"made {calls:,} tool calls and used {tokens:,} tokens" in said


def servers() -> set[str]:
    """The command lines of postgres servers that demos started."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"/postgres") and b"-D" in words:
            found.add(words[words.index(b"-D") + 1].decode())
    return found


@pytest.fixture
def environment(temporary: Path) -> dict[str, str]:
    """An environment whose temporary directory is this test's own."""
    return {**os.environ, "TMPDIR": str(temporary), "COLUMNS": "100"}


@pytest.fixture
def started(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A demo that has begun to replay."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agentdb", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
        preexec_fn=interruptible,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(("WARNING", "CRITICAL")):
            break
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_demo_that_is_ended_leaves_nothing(
    started: subprocess.Popen[str], temporary: Path, number: signal.Signals
) -> None:
    mine = {name for name in servers() if name.startswith(str(temporary))}
    assert len(mine) == 1
    started.send_signal(number)
    started.communicate(timeout=30)
    until(lambda: not mine & servers())
    until(lambda: not list(temporary.glob("agentdb-*/data")))


def test_up_prints_how_everybody_connects_and_alerts(
    environment: dict[str, str], temporary: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "agentdb", "up", "--directory", str(temporary / "kept")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    try:
        connections = dict(
            re.split(" +", process.stdout.readline().strip(), maxsplit=1)
            for _ in range(3)
        )
        assert set(connections) == {"agent", "reviewer", "dba"}
        with psycopg.connect(connections["agent"], autocommit=True) as agent:
            agent.execute("select agentdb.start_run()")
            agent.execute("select agentdb.log_tokens(500001, 0)")
        with psycopg.connect(connections["reviewer"]) as reviewer:
            assert reviewer.execute("select session_user").fetchone() == ("reviewer_1",)
        process.stdout.readline()
        # What follows from the budget may come before it, and is not sent after it.
        told = {json.loads(process.stdout.readline())["rule"]}
        if "conversation_budget" not in told:
            told.add(json.loads(process.stdout.readline())["rule"])
        assert "conversation_budget" in told <= {"budget_low", "conversation_budget"}
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_up_keeps_its_data_and_its_names(
    environment: dict[str, str], temporary: Path
) -> None:
    for _ in range(2):
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "agentdb",
                "up",
                "--directory",
                str(temporary / "kept"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        assert lines[0].startswith("agent ")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
