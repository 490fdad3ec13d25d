"""Shows a value as people read it: spans whole, times in UTC, numbers without noise."""

from __future__ import annotations

import json
import math
import re
import secrets
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from .harmless import harmless

# Columns of numbers that name something.
NUMBERS = {"change", "claim", "fence", "id", "message", "pid", "run", "xid"}


# No ASCII but DEL: JSON has its own escapes for the rest, and its lines are lines.
HIDDEN = re.compile(r"[\x7f-\U0010ffff]")

# Between quotes it is a number; nobody who writes data can know it.
MARK = secrets.token_hex(8)


class Number(Decimal):
    """A number within JSON as it is written: a float would round it."""


def json_of(value: object, *, indent: int | None = None) -> str:
    """Return JSON, with the numbers that PostgreSQL wrote digit for digit.

    What a terminal would obey or hide is escaped: the value stays the same.
    """
    text = json.dumps(value, default=_plain, indent=indent, ensure_ascii=False)
    text = re.sub(f'"{MARK}([^"]*)"', r"\1", text)
    return HIDDEN.sub(lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    return json.dumps(character)[1:-1]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return f"{MARK}{value:f}" if isinstance(value, Number) else str(value)


def text_of(value: object, name: str, *, full: bool = False) -> str:
    """Return a cell's text: what people type again is not taken apart by commas."""
    if isinstance(value, int) and (name in NUMBERS or name.endswith("_id")):
        return str(value)
    if isinstance(value, datetime) and full:
        return f"{value.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    return shown(value)


def shown(value: object) -> str:
    """Return a value as people read it: times in UTC, no noise, no escapes."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value.astimezone(timezone.utc):%m-%d %H:%M:%S}Z"
    if isinstance(value, timedelta):
        return span(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return number(value)
    if isinstance(value, dict | list):
        value = json_of(value)
    return harmless(str(value))


def number(value: int | float | Decimal) -> str:
    """Return a number with as many digits as say something: 523,443 and 1.8."""
    if not math.isfinite(value) or value == int(value):
        return f"{value:,.0f}"
    size = abs(float(value))
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 1:
        return f"{value:.1f}".removesuffix(".0")
    places = 1 - math.floor(math.log10(size))
    return f"{value:.{places}f}".rstrip("0")


def span(value: timedelta) -> str:
    """Return a length of time with its two largest units."""
    seconds = int(value.total_seconds())
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts = []
    for size, unit in units:
        if seconds >= size:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
    return " ".join(parts[:2]) or "0 s"
