"""Runs: the list, one on its time axis, two side by side, the tree, the report."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from ....report.read import story as read_story
from ....report.story import Story
from ....report.svg import axis
from ..door import reading
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
    word,
)

RUNS = """
select s.run_id, s.agent_name, s.state, s.started_at, s.ended_at, s.took, s.tool_calls,
  s.tool_errors, s.input_tokens + s.cached_input_tokens as input, s.output_tokens,
  s.cost, coalesce(s.last_step, s.purpose) as said
from (
  select r.run_id
  from agentdb.run as r
  where (%(agent)s::text is null or r.agent_id = (
      select a.agent_id from agentdb.agent as a where a.agent_name = %(agent)s))
    and (not %(open)s::boolean or r.ended_at is null)
  order by r.run_id desc
  limit %(most)s::integer offset %(after)s::integer
) as k
cross join lateral (
  select v.* from agentdb.run_summary as v where v.run_id = k.run_id offset 0
) as s
order by s.run_id desc
"""
FACTS = """
select s.*, k.stopped_by, k.reason as stop_reason, k.kind as stopped
from agentdb.run_summary as s
left join agentdb.run_stop as k on k.run_id = s.run_id
where s.run_id = %(run)s::bigint
"""
BUDGETS = """
select scope, max_tokens, spent, reserved, tokens_left, max_cost, cost
from agentdb.budget where run_id = %(run)s::bigint
"""
UNGUARDED = """
select u.name
from unnest(%(names)s::text[]) as u (name)
where not exists (
  select from agentdb.guarded_table as g where g.table_name = u.name)
order by u.name
"""
UNDONE = """
select c.change_id, c.state
from agentdb.change as c
where c.kind = 'undo'
  and c.undoes ->> 'run' = %(run)s::bigint::text
  and c.state in ('pending', 'approved', 'applied')
order by c.change_id desc
limit 5
"""
FIRST = """
select s.run_id, s.state
from (
  select r.run_id from agentdb.run as r
  where r.agent_id = (
      select o.agent_id from agentdb.run as o where o.run_id = %(run)s::bigint)
    and r.run_id <> %(run)s::bigint
  order by r.started_at desc
  limit 12
) as k
cross join lateral (
  select v.run_id, v.state
  from agentdb.run_summary as v where v.run_id = k.run_id offset 0
) as s
order by s.state = 'succeeded' desc, s.run_id desc
"""
# What of a mark is told in the table: more of them are a page further.
ROWS = 200


async def runs(request: Request) -> Response:
    """List runs, the newest first."""
    place = page_number(request)
    asked: dict[str, Any] = {
        "agent": word(request, "agent"),
        "open": "open" in request.query_params,
    }
    async with reading(request) as connection:
        found = await rows(
            connection, RUNS, **asked, most=PAGE + 1, after=PAGE * (place - 1)
        )
    found, more = cut(found)
    kept = {name: value for name, value in asked.items() if value}
    keep = urlencode(kept) + "&" if kept else ""
    context = {
        "runs": found, "asked": asked, "number": place, "more": more, "keep": keep,
    }  # fmt: skip
    return page(request, "runs.html", context)


async def run(request: Request) -> Response:
    """Show one run on its axis, and the same as a table."""
    key = number(request, "run")
    since, until = _moment(request, "from"), _moment(request, "to")
    async with reading(request) as connection:
        facts = await one(connection, FACTS, run=key)
        if facts is None:
            raise missing(f"run {key}")
        told = await _told(connection, key, since, until)
        budgets = await rows(connection, BUDGETS, run=key)
        others = await rows(connection, FIRST, run=key)
        undone = await rows(connection, UNDONE, run=key)
    place = page_number(request)
    marks = told.marks[::-1]
    context = {
        "run": facts,
        "story": told,
        "axis": _drawn(request, told),
        "marks": marks[ROWS * (place - 1) : ROWS * place],
        "number": place,
        "more": len(marks) > ROWS * place,
        "keep": _kept(since, until),
        "zoomed": since is not None or until is not None,
        "wider": _wider(told),
        "budgets": budgets,
        "others": others,
        "undone": undone,
    }
    return page(request, "run.html", context)


async def compare(request: Request) -> Response:
    """Show two runs side by side, on axes of one length."""
    key, other = number(request, "run"), number(request, "other")
    async with reading(request) as connection:
        found: list[tuple[Row, Story]] = []
        for each in (key, other):
            facts = await one(connection, FACTS, run=each)
            if facts is None:
                raise missing(f"run {each}")
            found.append((facts, await _told(connection, each, None, None)))
    longest = max(told.span for _, told in found)
    pairs = [
        {
            "run": facts,
            "story": told,
            "axis": Markup(  # noqa: S704 — drawn by us, its texts escaped
                axis(told, width=1000, span=longest, zone=request.state.zone)
            ),
            "tools": _tools(told),
        }
        for facts, told in found
    ]
    names = sorted({name for _, told in found for name in _tools(told)})
    return page(request, "compare.html", {"pairs": pairs, "names": names})


async def tree(request: Request) -> Response:
    """Show the runs that belong together."""
    key = number(request, "run")
    async with reading(request) as connection:
        if await one(connection, FACTS, run=key) is None:
            raise missing(f"run {key}")
        told = await _told(connection, key, None, None)
    below: dict[int | None, list[Row]] = {}
    there = {each["run_id"] for each in told.tree}
    for each in told.tree:
        parent = each["parent_run_id"]
        below.setdefault(parent if parent in there else None, []).append(each)
    return page(request, "tree.html", {"run_id": key, "below": below})


async def report(request: Request) -> Response:
    """Give the report of a run as a file: md, json or html."""
    from ....report import data, html, markdown  # what a page seldom needs

    key, kind = number(request, "run"), request.path_params["kind"]
    made = {
        "md": (markdown.render, "text/markdown; charset=utf-8"),
        "json": (data.render, "application/json"),
        "html": (html.render, "text/html; charset=utf-8"),
    }.get(kind)
    if made is None:
        raise missing(f"report.{kind[:20]}")
    async with reading(request) as connection:
        told = await _told(connection, key, None, None)
    render, media = made
    name = f'attachment; filename="run-{key}.{kind}"'
    return Response(render(told), 200, {"content-disposition": name}, media)


async def undo(request: Request) -> Response:
    """Show the form that tries out what an undo of a run would do."""
    key = number(request, "run")
    async with reading(request) as connection:
        facts = await one(connection, FACTS, run=key)
        if facts is None:
            raise missing(f"run {key}")
        told = await _told(connection, key, None, None)
        names = sorted({each["table_name"] for each in told.writes})
        # With a session of its own a person writes what it may.
        unguarded = (
            await rows(connection, UNGUARDED, names=names)
            if request.state.session.own is None
            else []
        )
    context = {
        "unguarded": [each["name"] for each in unguarded],
        "run": facts, "writes": told.writes, "rows": [], "conflicts": [],
        "left_undone": None, "effects": None, "row_count": None, "reason": "",
        "tried": False, "on_conflict": "refuse", "state": None,
    }  # fmt: skip
    return page(request, "undo.html", context)


async def _told(
    connection: Connection, run: int, since: datetime | None, until: datetime | None
) -> Story:
    told = await read_story(connection, run, since=since, until=until)
    if told is None:
        raise missing(f"run {run}")
    return told


def _drawn(request: Request, told: Story) -> Markup:
    """Return the axis, each part of whose scale leads to itself, enlarged."""

    def link(since: datetime, until: datetime) -> str:
        return f"/run/{told.run}?{_kept(since, until)[:-1]}#axis"

    return Markup(  # noqa: S704 — drawn by us, its texts escaped
        axis(told, link=link, width=1000, zone=request.state.zone)
    )


def _kept(since: datetime | None, until: datetime | None) -> str:
    given = {"from": since, "to": until}
    said = urlencode({name: at.isoformat() for name, at in given.items() if at})
    return f"{said}&" if said else ""


def _wider(told: Story) -> str:
    """Return the address of the same, twice as wide about its middle."""
    half = told.span / 2 + timedelta(seconds=1)
    return f"/run/{told.run}?{_kept(told.since - half, told.until + half)[:-1]}#axis"


def _moment(request: Request, name: str) -> datetime | None:
    """Return a moment of the query, or None where it is none."""
    try:
        at = datetime.fromisoformat(request.query_params.get(name, ""))
    except ValueError:
        return None
    return at if at.tzinfo and 2000 < at.year < 9000 else None


def _tools(told: Story) -> dict[str, dict[str, int]]:
    """Return how often each tool was called, and how often in vain."""
    found: dict[str, dict[str, int]] = {}
    for mark in told.marks:
        if mark.kind == "tool call":
            name = mark.what.partition(":")[0]
            each = found.setdefault(name, {"calls": 0, "error": 0, "repeat": 0})
            each["calls"] += 1
            if mark.note in each:
                each[mark.note] += 1
    return found
