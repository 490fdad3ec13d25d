"""What is remembered of earlier requests, bounded; a restart forgets it.

Emitters send a model's reply and the call that it asked for in requests of their own,
and some name the call's id in the reply alone.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

from .value import parsed

# Characters that each kind of memory keeps at most, and parts of one entry.
KEPT = 16 << 20
ASKED = 256
LONGEST = 4000
# What an entry takes beside its characters.
ENTRY = 300

T = TypeVar("T")


class Recent(Generic[T]):
    """Entries up to a size: what was not used for longest goes first."""

    def __init__(self, most: int = KEPT) -> None:
        self._entries: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._most = most
        self.size = 0

    def put(self, key: Hashable, value: T, size: int) -> None:
        """Keep a value of a size, in place of what was there."""
        self.pop(key)
        self._entries[key] = (value, size + ENTRY)
        self.size += size + ENTRY
        while self.size > self._most and self._entries:
            _, (_, gone) = self._entries.popitem(last=False)
            self.size -= gone

    def get(self, key: Hashable) -> T | None:
        """Return a value, if it is there still."""
        found = self._entries.get(key)
        return None if found is None else found[0]

    def pop(self, key: Hashable) -> T | None:
        """Return a value, and forget it."""
        found = self._entries.pop(key, None)
        if found is None:
            return None
        self.size -= found[1]
        return found[0]


class Memory:
    """What one request goes on with that another began."""

    def __init__(self) -> None:
        self._asked: Recent[list[tuple[str, str, str]]] = Recent()
        self._sights: Recent[list[str]] = Recent()
        self._kept: Recent[dict[str, Any]] = Recent()
        self._named: Recent[str] = Recent()

    def ask(self, where: Hashable, tool: str, args: Any, call: str) -> None:
        """Remember that a model asked for a call."""
        asked = self._asked.get(where) or []
        known = (tool, same(args), call)
        if len(asked) < ASKED and known not in asked:
            self._put_asked(where, [*asked, known])

    def asked(self, where: Hashable, tool: str, args: Any) -> tuple[str | None, Any]:
        """Return the id of a call that was asked for, and its arguments, once.

        It is found by its arguments, or by its tool where only one of that is left.
        """
        asked = self._asked.get(where) or []
        ofit = [each for each in asked if each[0] == tool]
        alike = [each for each in ofit if each[1] == same(args)]
        if not alike and len(ofit) != 1:
            return None, args
        found = (alike or ofit)[0]
        self._put_asked(where, [each for each in asked if each is not found])
        return found[2], args if alike else parsed(found[1])

    def name(self, trace: Hashable, conversation: str) -> None:
        """Remember which conversation a trace is of; of two it is of neither."""
        known = self._named.get(trace)
        if known is None or known != conversation:
            told = conversation if known is None else ""
            self._named.put(trace, told, len(told))

    def named(self, trace: Hashable) -> str | None:
        """Return the only conversation that a record of the trace has named."""
        return self._named.get(trace) or None

    def keep(self, where: Hashable, value: dict[str, Any]) -> None:
        """Remember a little of a record, until another one asks for it."""
        short = {
            name: each[:LONGEST] if isinstance(each, str) else each
            for name, each in value.items()
        }
        self._kept.put(where, short, sum(len(str(each)) for each in short.values()))

    def kept(self, where: Hashable) -> dict[str, Any] | None:
        """Return what was remembered, once."""
        return self._kept.pop(where)

    def occurrence(self, where: Hashable, sight: str) -> int:
        """Return the how-manieth this sight of a call id is: the same one the same."""
        sights = self._sights.get(where) or []
        if sight not in sights:
            sights = [*sights, sight][:ASKED]
        self._sights.put(where, sights, sum(map(len, sights)))
        return sights.index(sight) + 1 if sight in sights else ASKED

    def _put_asked(self, where: Hashable, asked: list[tuple[str, str, str]]) -> None:
        if not asked:
            self._asked.pop(where)
            return
        size = sum(len(part) for each in asked for part in each)
        self._asked.put(where, asked, size)


def same(args: Any) -> str:
    """Return arguments as one text, however they were written down."""
    try:
        return json.dumps(parsed(args), sort_keys=True, default=str)[:LONGEST]
    except (TypeError, ValueError, RecursionError):
        return ""
