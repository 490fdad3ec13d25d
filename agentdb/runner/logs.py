"""Writes the runner's log: text on a terminal, else one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TextIO

from ..config import Log
from ..harmless import harmless
from ..secret.redact import clean

if TYPE_CHECKING:
    _Stream = logging.StreamHandler[TextIO]
else:
    _Stream = logging.StreamHandler

logger = logging.getLogger("agentdb.runner")
# The name of the database that the present task works at.
database: ContextVar[str | None] = ContextVar("database", default=None)


def log(level: int, event: str, **details: Any) -> None:
    """Write what happened and to what; never secrets, addresses or payloads."""
    given = {"database": database.get(), **details}
    logger.log(level, event, extra={"details": given})


def log_error(event: str, error: BaseException, **details: Any) -> None:
    """Write what should not have happened, and where."""
    given = {"database": database.get(), **details}
    logger.error(event, extra={"details": given}, exc_info=error)


def configure(settings: Log | None = None, *, stream: TextIO | None = None) -> None:
    """Send all logging to a stream, standard error by default.

    Libraries log through the root, so that is where the format must be set.
    Whoever has set up logging already keeps it; what we set up, we may change.
    """
    settings = settings or Log()
    root = logging.getLogger()
    handler = next((h for h in root.handlers if isinstance(h, Handler)), None)
    if handler is None:
        if root.handlers:
            return
        handler = Handler(stream or sys.stderr)
        root.addHandler(handler)
        logging.captureWarnings(True)
    text = settings.format == "text" or (
        settings.format is None and handler.stream.isatty()
    )
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    root.setLevel(settings.level.upper())
    if settings.level != "debug":
        # It warns of each query that is cut off; the loops tell what came of it.
        logging.getLogger("psycopg").setLevel(logging.ERROR)


class Handler(_Stream):
    """Writes lines, each without any secret that we know.

    Nor what a terminal would obey: errors quote what agents wrote.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return harmless(clean(super().format(record)).expandtabs(4))


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
