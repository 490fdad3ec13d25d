"""Seals the audit and hands the root of each seal to the outside."""

from __future__ import annotations

import json
import logging
import os
from datetime import datetime, timezone
from functools import partial

import anyio

from ...process.writer import Writer
from ..logs import log
from ..session import SLOW, Session

SEAL = "select seal_id, rows, root from agentdb.seal_audit()"
# For a file that is best on another machine, and may hang with it.
DEADLINE = 10.0


async def seal(session: Session, export: Export | None = None) -> bool:
    """Seal what is new; tell its root to the log and, where one is named, to a file.

    A root that is out of the database's reach is what a chain made anew cannot match.
    """
    found = await session.rows(SEAL, deadline=SLOW)
    for row in found:
        log(logging.INFO, "audit sealed", **row)
        if export:
            await export.add(row)
    return bool(found)


class Export:
    """A file that holds one JSON object a line, only added to."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._writer = Writer(partial(_append, path))

    async def add(self, row: dict[str, object]) -> None:
        """Add a seal, or log that it could not be."""
        sealed_at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        try:
            with anyio.fail_after(DEADLINE):
                await self._writer.write(json.dumps({"time": sealed_at, **row}) + "\n")
        except OSError as error:
            said = error.strerror or f"not written within {DEADLINE:g} s"
            log(
                logging.ERROR,
                "root of the seal not exported",
                path=self._path,
                error=said,
            )

    def close(self) -> None:
        """Let the thread that writes end."""
        self._writer.close()


def _append(path: str, line: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
