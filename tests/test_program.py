"""Programs get their input, are heard, and end with all that they started."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

from agentdb.process.program import LARGEST, call

from .scene import until

PYTHON = [sys.executable, "-c"]


@pytest.mark.parametrize(
    "code",
    ["pass", "import os, time; os.close(0); time.sleep(0.1)"],
    ids=["ends", "closes"],
)
def test_program_that_reads_nothing_loses_no_status(code: str) -> None:
    given = b"x" * 10_000_000
    assert anyio.run(call, [*PYTHON, code], given) == (0, b"", b"")


def test_program_that_chatters_is_heard_in_part() -> None:
    code = "import sys; sys.stdout.write('a' * 10**7); sys.stderr.write('b' * 10**7)"
    status, said, errors = anyio.run(call, [*PYTHON, code], b"")
    assert (status, said, errors) == (0, b"a" * LARGEST, b"b" * LARGEST)


def test_cancelled_program_ends_with_what_it_started(place: Path) -> None:
    mark = str(place / "mark")
    code = f"exec -a {mark} sleep 60 & exec -a {mark} sleep 60"

    async def work() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(call, ["/bin/bash", "-c", code], b"")
            while _running(mark) < 2:
                await anyio.sleep(0.02)
            group.cancel_scope.cancel()

    anyio.run(work)
    until(lambda: _running(mark) == 0)


def _running(mark: str) -> int:
    count = 0
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        count += line.startswith(mark.encode())
    return count


def test_program_works_nowhere_in_particular_and_knows_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AGENTDB_SECRET_CANARY", "x")
    status, said, _ = anyio.run(call, ["/bin/sh", "-c", "pwd; env"], b"")
    assert status == 0
    assert said.startswith(b"/\n")
    assert b"CANARY" not in said
