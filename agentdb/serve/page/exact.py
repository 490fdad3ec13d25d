"""JSON with its numbers digit for digit: what is approved is not rounded."""

from __future__ import annotations

import json
import re
import secrets
from decimal import Decimal

# Between quotes it is a number; nobody who writes data can know it.
MARK = secrets.token_hex(8)
MARKED = re.compile(f'"{MARK}([^"]*)"')


def json_of(value: object, indent: int | None = None) -> str:
    """Return JSON, with numbers as PostgreSQL wrote them."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)
    return MARKED.sub(r"\1", text)


def _plain(value: object) -> str:
    return f"{MARK}{value}" if isinstance(value, Decimal) else str(value)
