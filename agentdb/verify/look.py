"""Has a look taken by a child process, under a deadline that holds."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio

from ..process.program import call
from .claim import Limits

# With -m, Python would import what lies in the directory we happen to be in.
CHILD = [
    sys.executable,
    "-c",
    "import sys; sys.path[0] = sys.argv[1]; import agentdb.verify.child as c; c.main()",
    str(Path(__file__).parents[2]),
]


class Failed(Exception):
    """The child gave no answer: it hung, crashed, or may not become the user."""


class Busy(Failed):
    """No answer was to be had from this machine now; asked again, it may come."""


async def verify(
    kind: str,
    target: str,
    expectation: dict[str, Any],
    *,
    run_started_at: datetime,
    limits: Limits,
) -> tuple[str, dict[str, Any]]:
    """Return verdict and evidence; whatever goes wrong with the look is unreachable."""
    order = {
        "kind": kind,
        "target": target,
        "expectation": expectation,
        "run_started_at": run_started_at.isoformat(),
        "limits": asdict(limits),
        "user": limits.user,
        "deadline": limits.deadline,
    }
    try:
        answer = await _ask(order)
        return str(answer["verdict"]), dict(answer["evidence"])
    except Failed as error:
        return "unreachable", {"problem": str(error)}


async def probe(
    path: str, *, want: str, user: str | None, deadline: float = 10.0
) -> dict[str, Any]:
    """Return what keeps a user from a path; see path.probe; raises Failed."""
    order = {"target": path, "want": want}
    return await _ask({**order, "user": user, "deadline": deadline})


async def compare(
    calls: list[tuple[Any, Any]], *, seconds: float = 2.0
) -> list[str | None]:
    """Return the first violation of each pair of schema and arguments.

    A pattern may take for ever on a text that was made for it: then the calls are
    looked at one by one, and that one is judged by nobody.  Seconds are of computing,
    so that an innocent one is judged on a busy machine too; raises Busy where the
    machine does not even give these.
    """
    try:
        return list((await _compute({"calls": calls}, seconds))["violations"])
    except Busy:
        raise
    except Failed:
        if len(calls) == 1:
            return [None]
    halves = calls[: len(calls) // 2], calls[len(calls) // 2 :]
    return [v for half in halves for v in await compare(half, seconds=seconds)]


async def relations(texts: list[str], *, seconds: float = 5.0) -> list[list[str]]:
    """Return each table that SQL among the texts is about, and the right it takes."""
    if not texts:
        return []
    try:
        return list((await _compute({"texts": texts}, seconds))["relations"])
    except Failed:
        return []


async def _compute(order: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Have something computed that may use so many seconds of a processor."""
    limits = {"user": None, "seconds": seconds, "deadline": 10 * seconds + 10}
    return await _ask({**order, **limits})


async def _ask(order: dict[str, Any]) -> dict[str, Any]:
    try:
        with anyio.fail_after(order["deadline"]):
            status, said, errors = await call(
                CHILD, json.dumps(order).encode(), os.environ
            )
    except TimeoutError:
        raise Busy(f"no answer within {order['deadline']:g} s") from None
    except OSError as error:
        raise Busy(f"no look could be begun: {error.strerror}") from error
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError):
        last = errors.decode(errors="replace").strip().splitlines()
        why = last[-1][:300] if last else "it said nothing"
        raise Failed(f"the look ended with {status}: {why}") from None
    if not isinstance(answer, dict):
        raise Failed("the look answered no object")
    return answer
