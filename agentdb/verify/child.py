"""One look, in a process of its own that can hang, crash or be killed.

It reads an order as JSON, becomes the user that the order names, looks, and writes
what it saw as JSON.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import entry_points
from math import ceil
from typing import Any, cast, get_args

from . import command, file, http
from .claim import Claim, Limits, Verdict, Verifier, Word
from .path import probe
from .plugin import GROUP

BUILT_IN: dict[str, Verifier] = {
    "command": command.verify,
    "file": file.verify,
    "http": http.verify,
}


def main() -> None:
    """Do what standard input says and end."""
    order = json.load(sys.stdin)
    # Nobody may be left to end us: then the clock does.
    signal.alarm(ceil(order["deadline"]) + 1)
    # What a verifier prints, or a program that it starts, is no part of the answer.
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        look = _look(order)
        _become(order["user"])
        # PostgreSQL takes neither NaN nor half a character, as in names of files.
        seen = json.dumps(look(), ensure_ascii=False, allow_nan=False)
        answer.write(seen.encode(errors="replace"))


def _look(order: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Return what is to be done; plugins are loaded before rights are given up."""
    if "want" in order:
        return lambda: probe(order["target"], order["want"])
    if "calls" in order:
        return lambda: {"violations": _violations(order["calls"], order["seconds"])}
    if "texts" in order:
        return lambda: {"relations": _relations(order["texts"], order["seconds"])}
    verifier = BUILT_IN.get(order["kind"]) or _plugin(order["kind"])
    claim = Claim(
        kind=order["kind"],
        target=order["target"],
        expectation=order["expectation"],
        run_started_at=datetime.fromisoformat(order["run_started_at"]),
        limits=_limits(order["limits"]),
    )
    return lambda: asdict(_seen(verifier, claim))


def _violations(calls: list[list[Any]], seconds: float) -> list[str | None]:
    from .arguments import first_violation

    _compute_for(seconds)
    return [first_violation(schema, given) for schema, given in calls]


def _relations(texts: list[str], seconds: float) -> list[tuple[str, str]]:
    from .relation import bound, relations

    bound()
    _compute_for(seconds)
    return relations(texts)


def _compute_for(seconds: float) -> None:
    """Have the kernel end us after so much work, inside of a library's C code too."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _seen(verifier: Verifier, claim: Claim) -> Verdict:
    verdict = verifier(claim)
    assert isinstance(verdict, Verdict), "a verifier returns a Verdict"
    assert verdict.verdict in get_args(Word), f"{verdict.verdict} is no verdict"
    assert isinstance(verdict.evidence, dict), "evidence is a dictionary"
    return verdict


def _plugin(kind: str) -> Verifier:
    for entry in entry_points(group=GROUP, name=kind):
        return cast(Verifier, entry.load())
    raise LookupError(f"no verifier {kind} is installed")


def _limits(given: dict[str, Any]) -> Limits:
    lists = {name: tuple(given[name]) for name in ("roots", "hosts")}
    return Limits(**{**given, **lists})


def _become(name: str | None) -> None:
    """Take on a user's identity and groups for good."""
    if name is None:
        return
    entry = pwd.getpwnam(name)
    if entry.pw_uid == os.geteuid():
        return
    os.setgroups(os.getgrouplist(name, entry.pw_gid))
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
