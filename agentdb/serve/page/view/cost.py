"""Costs: by agent, model and day, against the budget of the day."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, timezone

from starlette.requests import Request
from starlette.responses import Response

from ..door import reading
from ..render import page, visible
from .ask import Row, rows

# What nobody has a price for is in no sum, and counted beside.
COSTS = """
select (c.day_at at time zone 'UTC')::date as day, c.agent_name, c.model,
  c.model_calls as calls,
  c.unpriced_calls as unpriced, c.input_tokens as input,
  c.cached_input_tokens as cached, c.output_tokens as output, c.cost
from agentdb.cost_by_model_day as c
where c.day_at > %(after)s and c.day_at <= %(until)s
order by c.day_at desc, c.cost desc nulls last, c.agent_name, c.model
limit %(most)s::integer
"""
DAYS = """
select (c.day_at at time zone 'UTC')::date as day, sum(c.cost) as cost
from agentdb.run_cost as c
where c.day_at > now() - %(days)s * interval '1 day'
group by c.day_at
order by c.day_at
"""
BUDGETS = """
select agent_name, max_tokens, max_cost, spent, cost
from agentdb.day_budget
where spent > 0 or max_tokens is not null or max_cost is not null
order by greatest(cost / nullif(max_cost, 0)::numeric,
  spent / nullif(max_tokens, 0)::numeric) desc nulls last, cost desc, agent_name
limit 100
"""
CHOICES = (7, 30)
MOST = 200
# As many as a sheet takes without being asked.
MOST_CSV = 50_000
FORMULA = ("=", "+", "-", "@", "|", "%")
COLUMNS = (
    "day", "agent_name", "model", "calls", "unpriced", "input", "cached", "output",
    "cost",
)  # fmt: skip


async def costs(request: Request) -> Response:
    """Show what models cost a day, and each of a day; with ?csv all days as a file."""
    said, now = request.query_params.get("days", ""), datetime.now(timezone.utc)
    days = int(said) if said in map(str, CHOICES) else 7
    async with reading(request) as connection:
        if "csv" in request.query_params:
            after = now - timedelta(days=days)
            return _file(
                await rows(connection, COSTS, after=after, until=now, most=MOST_CSV)
            )
        by_day = await rows(connection, DAYS, days=days)
        day = _day(request.query_params.get("day", ""), by_day, now)
        until = datetime.combine(day, time.min, timezone.utc)
        after = until - timedelta(days=1)
        context = {
            "costs": await rows(connection, COSTS, after=after, until=until, most=MOST),
            "by_day": by_day,
            "budgets": await rows(connection, BUDGETS),
            "day": day,
            "days": days,
            "choices": CHOICES,
            "most": MOST,
        }
    return page(request, "costs.html", context)


def _day(said: str, by_day: list[Row], now: datetime) -> date:
    """Return the day that is asked for, else the last one of which there is any."""
    known = {str(row["day"]): row["day"] for row in by_day}
    found = known.get(said) or (by_day[-1]["day"] if by_day else now.date())
    assert isinstance(found, date)
    return found


def _file(found: Iterable[Row]) -> Response:
    made = io.StringIO()
    writer = csv.writer(made)
    writer.writerow(COLUMNS)
    for row in found:
        writer.writerow([defused(row[name]) for name in COLUMNS])
    name = {"content-disposition": 'attachment; filename="agentdb-costs.csv"'}
    return Response(made.getvalue(), 200, name, "text/csv; charset=utf-8")


def defused(value: object) -> object:
    """Return a value that hides nothing, and that no sheet takes for a formula."""
    if not isinstance(value, str):
        return value
    is_formula = value[:1] in "\t\r\n" or value.lstrip()[:1] in FORMULA
    return visible(f"'{value}" if is_formula and value else value)
