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
    calls: list[tuple[Any, Any]], *, deadline: float = 2.0
) -> list[str | None]:
    """Return the first violation of each pair of schema and arguments.

    A pattern may take for ever on a text that was made for it: then the calls are
    looked at one by one, and that one is judged by nobody.
    """
    order = {"calls": calls, "user": None, "deadline": deadline}
    try:
        return list((await _ask(order))["violations"])
    except Failed:
        if len(calls) == 1:
            return [None]
    halves = calls[: len(calls) // 2], calls[len(calls) // 2 :]
    return [v for half in halves for v in await compare(half, deadline=deadline)]


async def relations(texts: list[str], *, deadline: float = 5.0) -> list[list[str]]:
    """Return each table that SQL among the texts is about, and the right it takes."""
    if not texts:
        return []
    try:
        answer = await _ask({"texts": texts, "user": None, "deadline": deadline})
        return list(answer["relations"])
    except Failed:
        return []


async def _ask(order: dict[str, Any]) -> dict[str, Any]:
    try:
        with anyio.fail_after(order["deadline"]):
            status, said, errors = await call(
                CHILD, json.dumps(order).encode(), os.environ
            )
    except TimeoutError:
        raise Failed(f"no answer within {order['deadline']:g} s") from None
    except OSError as error:
        raise Failed(f"no look could be begun: {error.strerror}") from error
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError):
        last = errors.decode(errors="replace").strip().splitlines()
        why = last[-1][:300] if last else "it said nothing"
        raise Failed(f"the look ended with {status}: {why}") from None
    if not isinstance(answer, dict):
        raise Failed("the look answered no object")
    return answer
