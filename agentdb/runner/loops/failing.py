"""Which of the tables in a failed call's SQL the error is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

Table: TypeAlias = tuple[str, str]
MOST = 3


def failing(call: dict[str, Any], found: Sequence[Sequence[str]]) -> list[Table]:
    """Return the tables to look into, with the right that the statement needs.

    PostgreSQL names the table without its schema, or the schema alone: the SQL has
    the rest.  Where neither names one of the other's, the error is believed.
    """
    tables = [(name, right) for name, right in found]
    if error := call["relation"]:
        wanted = _parts(error)[-1]
        named = [table for table in tables if _parts(table[0])[-1] == wanted]
        return named[:1] or [(error, "select")]
    if schema := call["schema_name"]:
        within = [t for t in tables if _parts(t[0])[:-1] == _parts(schema)]
        return (within or tables)[:MOST]
    return tables[:MOST]


def _parts(name: str) -> list[str]:
    """Return the parts of a name, which has at most one dot outside of quotes."""
    parts, quoted = [""], False
    for character in name:
        if character == '"':
            quoted = not quoted
        elif character == "." and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts
