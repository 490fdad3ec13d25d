"""The calls of the database that a program makes, as statements any driver takes.

Every value is sent as text and cast on the server: no driver's idea of JSON, of an
interval or of a number comes between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

TYPES = {
    "args": "jsonb",
    "at_least": "interval",
    "cached_input": "bigint",
    "cached_input_cost": "numeric",
    "cached_within": "boolean",
    "calls": "jsonb",
    "change": "bigint",
    "cost": "double precision",
    "count": "bigint",
    "details": "jsonb",
    "estimate": "bigint",
    "events": "jsonb",
    "expectation": "jsonb",
    "expect": "interval",
    "fence": "bigint",
    "input": "bigint",
    "input_cost": "numeric",
    "key": "jsonb",
    "keys": "jsonb",
    "max_hold": "interval",
    "max_output": "bigint",
    "min_size": "bigint",
    "needs_progress": "boolean",
    "new_values": "jsonb",
    "ok": "boolean",
    "options": "jsonb",
    "output": "bigint",
    "output_cost": "numeric",
    "question": "text",
    "reasoning": "bigint",
    "relation": "text",
    "release_on_disconnect": "boolean",
    "reservation": "bigint",
    "run": "bigint",
    "status": "integer",
    "steps": "jsonb",
    "tick_interval": "interval",
    "tick_max": "interval",
    "ttl": "interval",
    "until": "timestamptz",
    "usages": "jsonb",
    "within_time": "interval",
}
# Parameters whose name means another type in one function.
OTHERWISE = {
    ("answer_of", "question"): "bigint",
    ("stage_change", "relation"): "regclass",
    ("stage_reads", "relation"): "regclass",
}


def statement(
    function: str, values: Mapping[str, Any], types: Mapping[str, str] | None = None
) -> tuple[str, list[str]]:
    """Return a call with one placeholder for each value that is given, and the values.

    None is not sent: the database's own default holds.  `types` are those of the
    catalogue, where they are known.
    """
    given = {name: value for name, value in values.items() if value is not None}
    kinds = {
        name: (types or {}).get(name)
        or OTHERWISE.get((function, name))
        or TYPES.get(name, "text")
        for name in given
    }
    shown = ", ".join(f"{name} => %s::text::{kind}" for name, kind in kinds.items())
    sent = [as_text(value, kinds[name]) for name, value in given.items()]
    # Names of ours; what an agent gives is sent beside it.
    return f"select * from agentdb.{function}({shown})", sent  # noqa: S608


def as_text(value: Any, kind: str = "text") -> str:
    """Return a value as PostgreSQL reads it."""
    if kind == "jsonb":
        return as_json(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return characters(str(value))


def as_json(value: Any) -> str:
    """Return a value as JSON; what is none is kept as its text."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    except (TypeError, ValueError, RecursionError):
        text = json.dumps(repr(value), ensure_ascii=False)
    return characters(text.replace("\\u0000", "\\ufffd"))


def characters(text: str) -> str:
    """Return a text without NUL and without halves of characters."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
