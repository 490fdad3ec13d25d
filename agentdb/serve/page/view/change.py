"""Changes: what waits for somebody, and one as a difference that a person can judge."""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from starlette.requests import Request
from starlette.responses import Response

from ....value import json_of
from ..door import reading
from ..door.failure import grant
from ..render import page
from .ask import (
    PAGE,
    Connection,
    Row,
    cut,
    missing,
    number,
    one,
    page_number,
    rows,
    spared,
)
from .difference import Cell, compared, is_cut, longest

CHANGES = """
select change_id, state, kind, agent_name, on_behalf_of, proposed_by, run_id, reason,
  tables, row_count, approvals_missing, submitted_at, opened_at, expires_at, closed_at,
  decisions
from agentdb.change_summary
where change_id in (
  select c.change_id from agentdb.change as c
  where %(every)s::boolean or c.state in ('open', 'pending', 'approved')
  order by c.state = 'pending' desc, c.change_id desc
  limit %(most)s::integer offset %(after)s::integer
)
order by state = 'pending' desc, change_id desc
"""
CHANGE = "select * from agentdb.show_change(%(change)s::bigint)"
ROWS = "select * from agentdb.show_change_rows(%(change)s::bigint, %(most)s::integer)"
ALIKE = "select * from agentdb.change_alike(%(change)s::bigint)"
CONFLICTS = "select agentdb.change_conflicts(%(change)s::bigint) as conflicts"
BEFORE = """
select m.at, m.kind, m.what, m.note
from agentdb.run_marks(
  %(run)s::bigint, '-infinity', %(at)s::timestamptz, 200) as m
where m.kind <> 'tokens'
order by m.at desc
limit 15
"""
DECISIONS = """
select reviewer, decision, comment, decided_at
from agentdb.change_decision
where change_id = %(change)s::bigint
order by decided_at
"""
TRIGGERS = """
select c.table_name, g.trigger_name, p.proname as function_name,
  pg_get_triggerdef(t.oid) as definition
from agentdb.change_table as c
join agentdb.application_trigger as g on g.table_oid = c.table_oid
join pg_trigger as t on t.tgrelid = g.table_oid and t.tgname = g.trigger_name
join pg_proc as p on p.oid = t.tgfoid
where c.change_id = %(change)s::bigint
order by c.table_name, g.trigger_name
"""
# More rows than anybody reads: the rest is told by what is the same in all of them.
MOST = 100
STATEMENTS = 20
# What a page leaves out for who may not read it.
VEILED = {
    "before": "what the run did before",
    "decisions": "what others said of it",
    "triggers": "the triggers of its tables",
}


async def changes(request: Request) -> Response:
    """List what waits for somebody, or with ?all what was decided too."""
    every, place = "all" in request.query_params, page_number(request)
    async with reading(request) as connection:
        found = await rows(
            connection, CHANGES, every=every, most=PAGE + 1, after=PAGE * (place - 1)
        )
    found, more = cut(found)
    context = {"changes": found, "every": every, "number": place, "more": more}
    return page(request, "changes.html", context)


async def change(request: Request) -> Response:
    """Show one change: what it would do, who proposes it, and what led to it."""
    key = number(request, "change")
    most = MOST if "rows" not in request.query_params else 1000
    async with reading(request) as connection:
        try:
            found = await one(connection, CHANGE, change=key)
        except psycopg.errors.Error as error:
            if error.sqlstate == "ZA006":
                raise missing(f"change {key}") from error
            raise
        if found is None:
            raise missing(f"change {key}")
        shown = await rows(connection, ROWS, change=key, most=most)
        alike = await rows(connection, ALIKE, change=key) if _many(found, most) else []
        run, at = found["run_id"], found["opened_at"]
        compared_rows = [
            _compared(each) for each in shown if each["operation"] != "read"
        ]
        # A reviewer by its own login may see the change, and not all that led to it.
        asked = {
            name: await spared(connection, query, **binds)
            for name, query, binds in (
                ("before", BEFORE, {"run": run, "at": at}),
                ("decisions", DECISIONS, {"change": key}),
                ("triggers", TRIGGERS, {"change": key}),
            )
        }
        context = {
            "change": found,
            "rows": compared_rows,
            "is_cut": any(is_cut(each["cells"]) for each in compared_rows),
            "reads": [each for each in shown if each["operation"] == "read"],
            "alike": _grouped(alike),
            "beyond": max((found["row_count"] or 0) - most, 0),
            "conflicts": await _conflicts(connection, found),
            "before": asked["before"],
            "decisions": asked["decisions"],
            "triggers": asked["triggers"],
            "veiled": [VEILED[name] for name, it in asked.items() if it is None],
            "grant": grant(request.state.person.role),
            "statements": _statements(shown),
            "longest": longest(request),
            "side_effects": _side_effects(found),
        }
    return page(request, "change.html", context)


def _many(found: Row, most: int) -> bool:
    return (found["row_count"] or 0) > min(most, 3)


async def _conflicts(connection: Connection, found: Row) -> list[Row]:
    """Return what was in the way of a change, or would be now."""
    if found["state"] not in ("pending", "approved"):
        return list((found["problem"] or {}).get("conflicts") or [])
    asked = await one(connection, CONFLICTS, change=found["change_id"])
    return list(asked["conflicts"] or []) if asked else []


def _compared(row: Row) -> Row:
    """Return a row with a cell for each column that it writes."""
    old, new = row["old_values"] or {}, row["new_values"] or {}
    names = sorted(n for n in {**old, **new} if n not in row["row_key"])
    cells: list[Cell] = []
    for name in names:
        was, becomes = old.get(name), new.get(name)
        if row["operation"] == "update":
            cells.append(compared(name, was, becomes))
        elif (becomes if row["operation"] == "insert" else was) is not None:
            cells.append(Cell.whole(name, was, becomes, row["operation"]))
    return row | {"cells": cells}


def _grouped(alike: list[Row]) -> list[Row]:
    """Return a table and operation a row, with its columns."""
    found: dict[tuple[str, str], Row] = {}
    for each in alike:
        group = found.setdefault(
            (each["table_name"], each["operation"]),
            {"table_name": each["table_name"], "operation": each["operation"],
             "rows": each["rows"], "columns": []},
        )  # fmt: skip
        if each["column_name"]:
            same = each["kinds"] == 1 and each["column_rows"] == each["rows"]
            pair = compared(each["column_name"], each["old_value"], each["new_value"])
            group["columns"].append(each | {"same": same, "cell": pair})
    return list(found.values())


def _side_effects(found: Row) -> list[tuple[str, int]]:
    """Return what else was written when it was tried: by triggers and cascades."""
    named = {name.strip() for name in (found["tables"] or "").split(",")}
    effects = found["effects"] or {}
    return [
        (said, count)
        for said, count in sorted(effects.items())
        if said.rpartition(" ")[0] not in named and isinstance(count, int)
    ]


def _statements(shown: list[Row]) -> list[str]:
    """Return the first rows as the SQL that does the same."""
    return [
        _statement(row).as_string()
        for row in shown[:STATEMENTS]
        if row["operation"] in ("insert", "update", "delete")
    ]


def _statement(row: Row) -> sql.Composed:
    # As the catalogue spells it, quoted where it must be.
    table = sql.SQL(row["table_name"])
    where = sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), _literal(value))
        for name, value in row["row_key"].items()
    )
    new = row["new_values"] or {}
    if row["operation"] == "delete":
        return sql.SQL("delete from {} where {};").format(table, where)
    if row["operation"] == "update":
        sets = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), _literal(value))
            for name, value in new.items()
        )
        return sql.SQL("update {} set {} where {};").format(table, sets, where)
    return sql.SQL("insert into {} ({}) values ({});").format(
        table,
        sql.SQL(", ").join(map(sql.Identifier, new)),
        sql.SQL(", ").join(map(_literal, new.values())),
    )


def _literal(value: object) -> sql.Literal:
    return sql.Literal(
        Jsonb(value, json_of) if isinstance(value, dict | list) else value
    )
