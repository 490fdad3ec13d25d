"""Makes a value of JSON out of whatever a tool was given or gave, and never fails.

Nothing is consumed: what can be read once only (generators, files, streams) is kept
as its name.  Nothing goes on forever: depth and number of parts are bounded, and what
holds itself is seen.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

# Deeper values and larger ones the database cuts anyway.
DEEPEST = 32
PARTS = 50_000
LONGEST = 256 * 1024
# Numbers of more digits are no numbers to anybody.
BITS = 4096
# Another one each time, of what is the same.
PLACE = re.compile(r" at 0x[0-9a-fA-F]+")

Hidden = Callable[[str, str, Any], "str | None"]


def _nothing(key: str, path: str, value: Any) -> str | None:
    return None


class Walk:
    """One value on its way to JSON; every text goes through `text`."""

    def __init__(self, text: Callable[[str], str], hidden: Hidden = _nothing) -> None:
        self._text = text
        self._hidden = hidden
        self._left = PARTS
        self._within: set[int] = set()

    def value(self, value: Any) -> Any:
        """Return the value as one of JSON."""
        return self._value(value, "", 0)

    def _value(self, value: Any, path: str, depth: int) -> Any:
        self._left -= 1
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return self.shown(str.__str__(value))
        if isinstance(value, int):
            many = value.bit_length() > BITS
            return f"[a number of {value.bit_length()} bits]" if many else int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(float(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return self.shown(bytes(value[:LONGEST]).decode(errors="replace"))
        return self._parts(value, path, depth)

    def shown(self, text: str) -> str:
        """Return a text of bearable length without what must not be seen."""
        return self._text(text if len(text) <= LONGEST else text[:LONGEST] + "…")

    def _parts(self, value: Any, path: str, depth: int) -> Any:
        if depth >= DEEPEST or self._left <= 0:
            return "[too deep]" if depth >= DEEPEST else "[too much]"
        if id(value) in self._within:
            return "[itself]"
        self._within.add(id(value))
        try:
            members = _members(value)
            if members is not None:
                return self._object(members, path, depth)
            if isinstance(value, list | tuple | set | frozenset):
                return self._list(value, path, depth)
            return self.shown(PLACE.sub("", _said(value)))
        except Exception as error:
            return f"[{type(value).__name__}: {type(error).__name__}]"
        finally:
            self._within.discard(id(value))

    def _list(self, value: Any, path: str, depth: int) -> list[Any]:
        found: list[Any] = []
        if (named := self._pair(value, path)) is not None:
            return named
        # In one order each time, or the same call would look like another.
        for each in (
            sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        ):
            if self._left <= 0:
                return [*found, "[too much]"]
            found.append(self._value(each, path, depth + 1))
        return found

    def _pair(self, value: Any, path: str) -> list[Any] | None:
        """Return a header and what stands for it, where it is such a pair."""
        if not (isinstance(value, list | tuple) and len(value) == 2):
            return None
        name, content = value
        if isinstance(name, bytes):
            name = name[:LONGEST].decode(errors="replace")
        if not isinstance(name, str) or isinstance(content, Mapping | list | tuple):
            return None
        instead = self._hidden(name, f"{path}.{name}" if path else name, content)
        return None if instead is None else [self.shown(name), instead]

    def _object(self, members: Mapping[Any, Any], path: str, depth: int) -> Any:
        found: dict[str, Any] = {}
        # {"name": "password", "value": …}: a field that is told, not one that is.
        told = members.get("name", members.get("key"))
        for name, each in list(members.items()):
            if self._left <= 0:
                found["…"] = "[too much]"
                break
            key = name if isinstance(name, str) else _said(name)
            place = f"{path}.{key}" if path else key
            instead = self._hidden(key, place, each)
            if instead is None and key == "value" and isinstance(told, str):
                instead = self._hidden(told, place, each)
            found[self.shown(key)] = (
                self._value(each, place, depth + 1) if instead is None else instead
            )
        return found


def _members(value: Any) -> Mapping[Any, Any] | None:
    """Return what an object has by name, None where it has no such thing."""
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: getattr(value, each.name) for each in dataclasses.fields(value)
        }
    fields = getattr(type(value), "model_fields", None)
    if isinstance(fields, Mapping):
        # pydantic
        return {name: getattr(value, name) for name in fields}
    if isinstance(value, tuple) and (names := getattr(value, "_fields", None)):
        return dict(zip(names, value, strict=False))
    return None


def _said(value: Any) -> str:
    """Return a text for an object; a part of a program by its name."""
    try:
        return str(value)
    except Exception:
        return f"[{type(value).__name__}]"
