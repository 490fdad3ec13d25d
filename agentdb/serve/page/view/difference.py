"""Two values of a column, so that what differs is seen."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from ....value import json_of

# Shorter values are read at a glance, whole.
SHORT = 60
# Of what is the same on both sides so much is told.
AROUND = 40
# Of a longer value so many characters are shown; with ?whole all of it.
LONG, WHOLE = 600, 10_000_000


@dataclass(frozen=True)
class Cell:
    """A column: what is the same before and after, and in between what differs."""

    name: str
    old: str | None
    new: str | None
    head: str = ""
    tail: str = ""
    #: NULL is a word of ours, not the text of a row.
    old_is_null: bool = False
    new_is_null: bool = False

    @classmethod
    def whole(cls, name: str, old: object, new: object, operation: str) -> Cell:
        """Return a column of a row that comes or goes."""
        if operation == "insert":
            return cls(name, None, said(new), new_is_null=new is None)
        return cls(name, said(old), None, old_is_null=old is None)


def compared(name: str, old: object, new: object) -> Cell:
    """Return a column of a row that is changed."""
    a, b = said(old), said(new)
    head = tail = ""
    if old is not None and new is not None and max(len(a), len(b)) > SHORT:
        head, cut_a, cut_b, tail = _split(a, b)
        # What only comes, or only goes, takes the place of nothing.
        return Cell(name, cut_a or None, cut_b or None, head, tail)
    return Cell(name, a, b, head, tail, old is None, new is None)


def longest(request: Request) -> int:
    """Return how many characters of a value are shown."""
    return WHOLE if "whole" in request.query_params else LONG


def is_cut(cells: list[Cell]) -> bool:
    """Whether a value of a row is longer than what is shown of it."""
    return any(len(text or "") > LONG for c in cells for text in (c.old, c.new))


def said(value: object) -> str:
    """Return a value as its text."""
    if value is None:
        return "NULL"
    if isinstance(value, dict | list | bool):
        return json_of(value)
    return str(value)


def _split(a: str, b: str) -> tuple[str, str, str, str]:
    """Return what two texts begin with, what is apart, and what they end with."""
    most = min(len(a), len(b))
    front = next((n for n in range(most) if a[n] != b[n]), most)
    # Whole words are read more easily.
    while front and a[front - 1].isalnum():
        front -= 1
    back = 0
    while back < most - front and a[-1 - back] == b[-1 - back]:
        back += 1
    while back and a[-back].isalnum():
        back -= 1
    head, tail = a[:front], a[len(a) - back :] if back else ""
    head = f"…{head[-AROUND:]}" if len(head) > AROUND else head
    tail = f"{tail[:AROUND]}…" if len(tail) > AROUND else tail
    return head, a[front : len(a) - back], b[front : len(b) - back], tail
