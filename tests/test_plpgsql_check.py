"""plpgsql_check finds nothing in our functions, where the server has it."""

from __future__ import annotations

import pytest

from .agents import Row, rows, value
from .conftest import Connection

# What these execute is text that format() made of names in the catalogue, in the same
# function or in one that it calls; the checker follows no call.
MADE_BY_US = {
    "_canonical_key", "_execute_by_detour", "_execute_in_parts", "_lend_table", "_meets",
    "_perform", "_place_stage", "_plan_statement", "_read_rows", "_repair_tables",
    "_share_as_applier", "_watch_connection", "look_for_message", "stage_change",
}  # fmt: skip
# These ask for a whole row in one step of a plan, or call for what a call does.
NOT_READ = {"_attempt", "_perform", "acquire_lock", "renew_lock"}
HAS = "select exists (select from pg_available_extensions where name = 'plpgsql_check')"
# A trigger function is checked with the table that it is on; one on none is left out.
FOUND = """
select p.oid::regprocedure::text as name, coalesce(t.tgrelid::regclass::text, '') as on,
  c.lineno, c.level, c.sqlstate, c.message, c.context
from pg_proc as p
join pg_language as l on l.oid = p.prolang and l.lanname = 'plpgsql'
left join lateral (
  select t.tgrelid, t.tgoldtable, t.tgnewtable from pg_trigger as t
  where t.tgfoid = p.oid limit 1) as t on p.prorettype = 'trigger'::regtype
cross join lateral plpgsql_check_function_tb(p.oid, coalesce(t.tgrelid, 0),
  oldtable => t.tgoldtable, newtable => t.tgnewtable,
  other_warnings => false, extra_warnings => true, performance_warnings => false,
  security_warnings => true) as c
where p.pronamespace = 'agentdb'::regnamespace
  and (p.prorettype <> 'trigger'::regtype or t.tgrelid is not null)
order by 1
"""


def test_plpgsql_check_finds_nothing(guarded: Connection) -> None:
    if not value(guarded, HAS):
        pytest.skip("this server has no plpgsql_check")
    guarded.execute(
        "create schema checker; create extension plpgsql_check schema checker"
    )
    guarded.execute("set search_path = checker, pg_catalog")
    found = rows(guarded, FOUND)
    assert any(row["message"].startswith("text type variable") for row in found)
    left = [row for row in found if not _is_known(row)]
    assert not left, "\n".join(
        f"{r['name']} {r['lineno']}: {r['message']}" for r in left
    )


def _is_known(row: Row) -> bool:
    name, message = row["name"].split("(")[0].removeprefix("agentdb."), row["message"]
    return (
        (message == "text type variable is not sanitized" and name in MADE_BY_US)
        or (message.startswith("never read variable") and name in NOT_READ)
        # RETURN QUERY EXECUTE and composite results: it sees no assignment.
        or "OUT variable" in message
        # It is told the transition tables of one trigger; a function has three.
        or (name.startswith("_capture_") and "does not exist" in message)
    )
