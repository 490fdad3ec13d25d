"""Seals the audit and hands the root of each seal to the outside."""

from __future__ import annotations

import json
import logging
import os
from datetime import datetime, timezone

from .logs import log
from .session import SLOW, Session

SEAL = "select seal_id, rows, root from agentdb.seal_audit()"
# A file of its own, best on another machine: one JSON object a line, only added to.
FILE = "AGENTDB_SEAL_FILE"


async def seal(session: Session) -> bool:
    """Seal what is new; tell its root to the log and, where one is named, to a file.

    A root that is out of the database's reach is what a chain made anew cannot match.
    """
    found = await session.rows(SEAL, deadline=SLOW)
    for row in found:
        log(logging.INFO, "audit sealed", **row)
        if path := os.environ.get(FILE):
            _append(path, row)
    return bool(found)


def _append(path: str, row: dict[str, object]) -> None:
    sealed_at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    line = json.dumps({"time": sealed_at, **row}) + "\n"
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        log(logging.ERROR, "root of the seal not exported", path=path, error=str(error))
