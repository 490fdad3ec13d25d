"""An event as the database takes it, and what is the same for all files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

Event = dict[str, Any]


class NotThisFormat(ValueError):
    """The file is none of those that are known, or is broken; says where."""


def objects(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Parse lines of JSON; what is no object, or was cut off, is left out."""
    for line in lines:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def text_of(content: object) -> str:
    """Return what a result says: a text, or the texts of its blocks, one a line."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text_of(block) for block in content)
    if isinstance(content, dict):
        said = content.get("text", content.get("output", content.get("content")))
        return text_of(said) if said is not None else json.dumps(content)
    return "" if content is None else json.dumps(content)


def known(event: Event) -> Event:
    """Leave out what is not known: the database takes it as not said."""
    return {name: value for name, value in event.items() if value is not None}


def count(value: object) -> int | None:
    """Return a number of tokens, None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value <= 10**9 else None


def as_object(value: object) -> dict[str, Any]:
    """Return an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return a list, an empty one for anything else."""
    return value if isinstance(value, list) else []


def loaded(value: object) -> object:
    """Return what a text of JSON says, anything else as it is: exports have both."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
