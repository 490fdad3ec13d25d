"""The functions that an agent may call, as tools: made from the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# What a model decides about itself; the rest (runs, calls, tokens) is for its program.
OFFERED = (
    "acquire_lock", "answer_of", "ask_human", "claim_command", "claim_custom",
    "claim_file", "claim_http", "claim_message", "claim_rows", "explain_access",
    "hold_run", "log_progress", "my_changes", "open_change", "release_lock",
    "remaining_budget", "renew_lock", "stage_change", "stage_reads", "submit_change",
    "withdraw_change",
)  # fmt: skip
FUNCTIONS = """
select p.proname as name, obj_description(p.oid) as description,
  p.provolatile = 's' as reads,
  coalesce((
    select jsonb_agg(jsonb_build_object('name', a.name,
        'type', format_type(a.type, null),
        'needed', a.place <= p.pronargs - p.pronargdefaults) order by a.place)
    from (
      select row_number() over (order by n.place) as place, n.name, n.type
      from unnest(p.proargnames, p.proargmodes::text[],
          coalesce(p.proallargtypes, p.proargtypes::oid[]))
        with ordinality as n (name, mode, type, place)
      where coalesce(n.mode, 'i') in ('i', 'b')
        and n.type is not null
    ) as a
    where a.name <> 'run'
  ), '[]')::text as arguments
from pg_catalog.pg_proc as p
where p.pronamespace = 'agentdb'::regnamespace
  and p.proname in (select jsonb_array_elements_text(%s::text::jsonb))
  and has_function_privilege(p.oid, 'execute')
order by p.proname
"""
SCHEMAS: dict[str, dict[str, Any]] = {
    "bigint": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "double precision": {"type": "number"},
    "integer": {"type": "integer"},
    "interval": {"type": "string", "description": "an interval, such as '15 minutes'"},
    "jsonb": {"description": "JSON"},
    "regclass": {"type": "string", "description": "a table, such as 'public.invoice'"},
    "timestamp with time zone": {
        "type": "string",
        "description": "a time, such as '2026-12-01 08:00+00'",
    },
}


@dataclass(frozen=True)
class Argument:
    """A parameter of a function: its PostgreSQL type, and whether it has no default."""

    name: str
    type: str
    needed: bool


@dataclass(frozen=True)
class Function:
    """A function of agentdb, as its catalogue describes it."""

    name: str
    description: str
    reads: bool
    arguments: tuple[Argument, ...]

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments."""
        return {
            "type": "object",
            "properties": {
                each.name: SCHEMAS.get(each.type, {"type": "string"})
                for each in self.arguments
            },
            "required": [each.name for each in self.arguments if each.needed],
            "additionalProperties": False,
        }

    @property
    def types(self) -> dict[str, str]:
        """The PostgreSQL types of its arguments by name."""
        return {each.name: each.type for each in self.arguments}
