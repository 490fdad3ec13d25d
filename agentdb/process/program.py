"""Runs a program as a child process, which is ended with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

import anyio

LARGEST = 65536
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


async def call(
    argv: Sequence[str], given: bytes, environment: Mapping[str, str] = ENVIRONMENT
) -> tuple[int, bytes, bytes]:
    """Return exit status and the heads of output and errors; may be cancelled."""
    # Cancelled while it begins, it would run on, and nobody would know it.
    with anyio.CancelScope(shield=True):
        process = await anyio.open_process(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    assert process.stdin and process.stdout and process.stderr
    said, errors = bytearray(), bytearray()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_feed, process.stdin, given)
            group.start_soon(_drain, process.stdout, said)
            group.start_soon(_drain, process.stderr, errors)
        return await process.wait(), bytes(said), bytes(errors)
    finally:
        # The group: what the child has started too, unless it has become another user.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await process.aclose()


async def _feed(stream: anyio.abc.ByteSendStream, given: bytes) -> None:
    """A child may end, or close its input, without having read it."""
    with suppress(OSError, anyio.BrokenResourceError):
        await stream.send(given)
    await stream.aclose()


async def _drain(stream: anyio.abc.ByteReceiveStream, head: bytearray) -> None:
    """Read to the end and keep the head: a child must not hang on a full pipe."""
    async for chunk in stream:
        head += chunk[: LARGEST - len(head)]
