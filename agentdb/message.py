"""Reads what the server said out of any driver's exception."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# An exception of SQLAlchemy over asyncpg is three deep.
DEEPEST = 5


@dataclass(frozen=True)
class Message:
    """An error of the server, without the functions that it came through."""

    sqlstate: str
    message: str
    detail: str = ""
    hint: str = ""


def read(error: BaseException) -> Message | None:
    """Return the server's message in an exception, None where it holds none."""
    for each in _layers(error):
        fields = _psycopg(each) or _pg8000(each) or _asyncpg(each)
        if fields and fields[0] and fields[1]:
            return Message(*(text or "" for text in fields))
    return None


def _layers(error: BaseException) -> Iterator[BaseException]:
    """Return an exception and what it wraps: SQLAlchemy keeps the driver's in orig."""
    layer: BaseException | None = error
    for _ in range(DEEPEST):
        if layer is None:
            return
        yield layer
        layer = getattr(layer, "orig", None) or layer.__cause__


def _psycopg(error: BaseException) -> tuple[str | None, ...]:
    """Return the fields of psycopg 3 and psycopg2, which have a diag."""
    diag: Any = getattr(error, "diag", None)
    if diag is None:
        return ()
    return (
        diag.sqlstate, diag.message_primary, diag.message_detail, diag.message_hint,
    )  # fmt: skip


def _pg8000(error: BaseException) -> tuple[str | None, ...]:
    """Return the fields of pg8000, whose first argument is the message itself."""
    fields = error.args[0] if error.args else None
    if not isinstance(fields, dict):
        return ()
    return tuple(fields.get(letter) for letter in "CMDH")


def _asyncpg(error: BaseException) -> tuple[str | None, ...]:
    """Return the fields of asyncpg, which are attributes."""
    if not hasattr(error, "severity_en"):
        return ()
    return tuple(
        getattr(error, name, None) for name in ("sqlstate", "message", "detail", "hint")
    )
