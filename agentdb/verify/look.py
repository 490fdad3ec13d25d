"""Has a look taken by a child process, under a deadline that holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

import anyio

from .claim import Limits

LARGEST = 65536
CHILD = [sys.executable, "-m", "agentdb.verify.child"]


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
    order = {"kind": "probe", "target": path, "want": want}
    return await _ask({**order, "user": user, "deadline": deadline})


async def compare(
    calls: list[tuple[Any, Any]], *, deadline: float = 2.0
) -> list[str | None]:
    """Return the first violation of each pair of schema and arguments.

    A pattern may take for ever on a text that was made for it: then the calls are
    looked at one by one, and that one is judged by nobody.
    """
    order = {"kind": "arguments", "calls": calls, "user": None, "deadline": deadline}
    try:
        return list((await _ask(order))["violations"])
    except Failed:
        if len(calls) == 1:
            return [None]
    halves = calls[: len(calls) // 2], calls[len(calls) // 2 :]
    return [v for half in halves for v in await compare(half, deadline=deadline)]


async def _ask(order: dict[str, Any]) -> dict[str, Any]:
    process = await anyio.open_process(
        CHILD,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        with anyio.fail_after(order["deadline"]):
            return await _answer(process, order)
    except TimeoutError:
        raise Failed(f"no answer within {order['deadline']:g} s") from None
    finally:
        with suppress(ProcessLookupError), anyio.CancelScope(shield=True):
            # The group: a command's own children too.
            os.killpg(process.pid, signal.SIGKILL)
            await process.aclose()


async def _answer(process: anyio.abc.Process, order: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin and process.stdout and process.stderr
    with suppress(anyio.BrokenResourceError):
        await process.stdin.send(json.dumps(order).encode())
    await process.stdin.aclose()
    heads = {"out": b"", "error": b""}
    async with anyio.create_task_group() as group:
        group.start_soon(_read, process.stdout, heads, "out")
        group.start_soon(_read, process.stderr, heads, "error")
    await process.wait()
    try:
        answer = json.loads(heads["out"])
    except ValueError:
        said = heads["error"].decode(errors="replace").strip().splitlines()
        why = said[-1][:300] if said else "it said nothing"
        raise Failed(f"the look ended with {process.returncode}: {why}") from None
    if not isinstance(answer, dict):
        raise Failed("the look answered no object")
    return answer


async def _read(
    stream: anyio.abc.ByteReceiveStream, heads: dict[str, bytes], name: str
) -> None:
    """Read to the end and keep the head: a child must not hang on a full pipe."""
    async for chunk in stream:
        if len(heads[name]) < LARGEST:
            heads[name] += chunk
