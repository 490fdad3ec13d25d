"""Reads values of attributes, which emitters write as numbers, texts or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# No count of tokens and no size is beyond it.
MOST = 1 << 40


def first(of: Mapping[str, Any], *names: str) -> Any:
    """Return the first of some attributes that is there, and not empty."""
    for name in names:
        found = of.get(name)
        if found is not None and found != "":
            return found
    return None


def text(value: Any) -> str | None:
    """Return a name or an id: 1 to 200 visible characters, None where there is none."""
    if value is None or isinstance(value, dict | list):
        return None
    found = str(value)[:1000]
    if not found.isprintable():
        found = "".join(each for each in found if each.isprintable())
    return found.strip()[:200].strip() or None


def whole(value: Any) -> int | None:
    """Return a count, which may come as a text; None where it is none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = int(float(value)) if isinstance(value, str | float) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if 0 <= found < MOST else None


def number(value: Any) -> float | None:
    """Return a number, which may come as a text."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if 0 <= found < 1e9 else None


def truth(value: Any) -> bool | None:
    """Return yes or no, which may come as a text; None where nothing says so."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).lower())


def parsed(value: Any) -> Any:
    """Return what a text of JSON says, and any other value as it is."""
    if not isinstance(value, str) or value[:1] not in '{["-0123456789tfn':
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def arguments(value: Any) -> Any:
    """Return the arguments of a call: an object where it is one."""
    if isinstance(value, str) and value[:1] in "{[":
        return parsed(value)
    return value


def listed(value: Any) -> list[Any]:
    """Return a list, which may come as a text of JSON; empty where it is none."""
    found = parsed(value)
    return found if isinstance(found, list) else []


def told(value: Any) -> str | None:
    """Return a value as the text that a tool gave, None where there is none."""
    if value is None or isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return None


def member(value: Any, *path: str | int) -> Any:
    """Return what is at the end of a path of an object, None where it leads nowhere."""
    for name in path:
        if isinstance(name, int):
            value = value[name] if isinstance(value, list) and value[name:] else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value
