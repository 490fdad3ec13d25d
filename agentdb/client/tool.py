"""Records tool calls, and says at once where arguments break the tool's schema."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from ..redaction import Redaction
from .calls import as_json, characters

SCHEMA = "select agentdb.tool_schema(tool => %s::text, run => %s::bigint)"
LOG = """
select run_id, repeated, recorded_at, fault, hint
from agentdb.log_tool_call(
  tool => %s::text, args => %s::jsonb, ok => %s::boolean, error => %s::text,
  result_size => %s::bigint, duration => %s::interval, call_id => %s::text,
  result => %s::text, violation => %s::text, run => %s::bigint
)
"""


@dataclass(frozen=True)
class ToolCall:
    """A call as it was recorded: `fault` is unknown, invalid_args or None."""

    run_id: int
    repeated: bool
    recorded_at: datetime | None
    fault: str | None
    hint: str | None


def log_tool_call(
    connection: psycopg.Connection,
    tool: str,
    args: Any = None,
    *,
    ok: bool = True,
    error: str | None = None,
    result_size: int | None = None,
    duration: timedelta | None = None,
    call_id: str | None = None,
    result: str | None = None,
    run: int | None = None,
    redaction: Redaction | None = None,
) -> ToolCall:
    """Record a finished call with the first thing that is wrong with its arguments.

    The runner compares them as well, whatever is said here.  What looks like a secret
    is blanked out before it is sent, as by a run of the client.
    """
    if not isinstance(connection, psycopg.Connection):
        raise TypeError(
            "log_tool_call takes a connection of psycopg, not of "
            f"{type(connection).__module__}: call agentdb.log_tool_call() in SQL, or "
            "use agentdb.Agent(connect=…)"
        )
    hide = redaction or Redaction.from_env()
    found = connection.execute(SCHEMA, [characters(tool), run]).fetchone()
    schema = found[0] if found else None
    violation = None
    if schema is not None:
        # A tenth of a second to import, for those who have schemas.
        from ..verify.arguments import first_violation

        violation = first_violation(schema, args)

    def text(value: str | None) -> str | None:
        return None if value is None else characters(hide.text(value))

    kept = None if args is None else as_json(hide.value(args, tool))
    given: list[object] = [text(tool), kept, ok, text(error), result_size, duration]
    given += [call_id, text(result), text(violation), run]
    row = connection.execute(LOG, given).fetchone()
    assert row is not None
    return ToolCall(*row)
