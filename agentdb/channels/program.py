"""Hands notifications to a child process, which is ended with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

import anyio

LARGEST = 16384
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


async def call(
    argv: Sequence[str], given: bytes, environment: Mapping[str, str] = ENVIRONMENT
) -> tuple[int, str]:
    """Return the exit status and the end of the output of a child; may be cancelled."""
    process = await anyio.open_process(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        cwd="/",
        start_new_session=True,
    )
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_feed, process, given)
            said = await _tail(process)
        return await process.wait(), said
    finally:
        # The group: what a cancelled child has started too.
        with suppress(ProcessLookupError), anyio.CancelScope(shield=True):
            os.killpg(process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await process.aclose()


async def _feed(process: anyio.abc.Process, given: bytes) -> None:
    assert process.stdin
    with suppress(anyio.BrokenResourceError):
        await process.stdin.send(given)
    await process.stdin.aclose()


async def _tail(process: anyio.abc.Process) -> str:
    assert process.stdout
    said = b""
    async for chunk in process.stdout:
        said = (said + chunk)[-LARGEST:]
    return said.decode(errors="replace")
