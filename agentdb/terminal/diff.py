"""Values as a person compares them: on one line, as the table has them."""

from __future__ import annotations

from ..value import json_of, shown

# Longer values are cut: what matters of them is where they differ.
WIDTH = 100
SLACK = 25


def line(value: object) -> str:
    """Return a text on one line, so that it cannot look like several."""
    if isinstance(value, dict | list | bool):
        value = json_of(value)
    return shown(str(value)).replace("\n", "⏎")


def text(value: object) -> str:
    """Return a value of a row."""
    return _cut(_quoted(value))


def pair(old: object, new: object) -> tuple[str, str]:
    """Return two values of a column so that a difference is seen."""
    a, b = _quoted(old), _quoted(new)
    if a == b:
        # What differs is nothing that a terminal shows.
        a, b = ascii(old), ascii(new)
    start = 0
    if max(len(a), len(b)) > WIDTH:
        both = enumerate(zip(a, b, strict=False))
        same = next((n for n, (x, y) in both if x != y), min(len(a), len(b)))
        start = max(0, same - WIDTH // 5)
    return _cut(a, start), _cut(b, start)


def _quoted(value: object) -> str:
    """Return a value, in quotes where it could be taken for another or for none."""
    if value is None:
        return "NULL"
    said = line(value)
    plain = said not in ("", "NULL") and said == said.strip() and "→" not in said
    return said if plain else f"'{said}'"


def _cut(said: str, start: int = 0) -> str:
    if start:
        said = "…" + said[start:]
    more = len(said) - WIDTH
    # What would hide less than it says is not worth the riddle.
    if more <= SLACK:
        return said
    return f"{said[:WIDTH]}… ({more:,} more characters: --json)"
