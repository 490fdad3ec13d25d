"""Writes the runner's log: text on a terminal, else one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any, TextIO

logger = logging.getLogger("agentdb.runner")


def log(level: int, event: str, **details: Any) -> None:
    """Write what happened and to what; never secrets, addresses or payloads."""
    logger.log(level, event, extra={"details": details})


def configure(*, stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send all logging to a stream, standard error by default.

    Libraries log through the root, so that is where the format must be set.
    Whoever has set up logging already keeps it.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if stream.isatty() else JsonFormatter())
    logging.basicConfig(handlers=[handler], level=level)
    # It warns of each query that is cut off; the loops tell what came of it.
    logging.getLogger("psycopg").setLevel(logging.ERROR)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        head = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            head["traceback"] = self.formatException(record.exc_info)
        return json.dumps(head | _details(record), default=str)


class TextFormatter(logging.Formatter):
    """A line for a person: time, level, event, details."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = f"{_time(record):%H:%M:%S}"
        details = (
            f" {name}={json.dumps(value, default=str)}"
            for name, value in _details(record).items()
        )
        line = f"{time} {record.levelname.lower():<7} {record.getMessage()}"
        line += "".join(details)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, timezone.utc)


def _details(record: logging.LogRecord) -> dict[str, Any]:
    details: dict[str, Any] = getattr(record, "details", {})
    return {name: value for name, value in details.items() if value is not None}
