"""Says what is wrong with a configuration, and on which line."""

from __future__ import annotations

import re

HEADER = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]")


class Wrong(ValueError):
    """An invalid key; never quotes a value that is secret."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}" if key else why)
        self.key = key


class Misconfigured(ValueError):
    """An invalid configuration; the text says where and why."""


def line_of(text: str, table: str, key: str) -> int:
    """Return the line of a key, else of its table, else the first.

    The parser tells no lines; what is written in an odd way is found by its table.
    """
    written = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]")
    current, found = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        if header := HEADER.match(line):
            current = re.sub(r"[\s\"']", "", header[1])
            if current == f"{table}.{key}":
                return number
            if current == table or (found == 1 and current.startswith(f"{table}.")):
                found = number
        elif current == table and written.match(line):
            return number
    return found
