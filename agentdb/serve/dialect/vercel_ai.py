"""Soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..otlp.record import Record

if TYPE_CHECKING:
    from .reading import Reading


def speaks(record: Record) -> bool:
    return False


def read(record: Record, reading: Reading) -> None:
    return None
