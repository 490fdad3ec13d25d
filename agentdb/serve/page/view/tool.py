"""Tools: which fail, which do not exist, how long they take."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..door import reading
from ..render import page
from .ask import rows

TOOLS = """
select b.*, t.tool_name is not null as registered
from agentdb.tool_board(%(hours)s * interval '1 hour', %(most)s::integer) as b
left join agentdb.tool as t on t.tool_name = b.tool
order by b.unknown > 0 desc, b.errors::numeric / b.calls desc, b.calls desc
limit 200
"""
FAULTS = """
select recorded_at, agent_name, run_id, tool, fault, detail
from agentdb.faulty_call
where recorded_at > clock_timestamp() - %(hours)s * interval '1 hour'
order by recorded_at desc
limit 20
"""
HOURS = (1, 6, 24)
# Of more calls the newest tell how a tool does.
MOST = 20_000


async def tools(request: Request) -> Response:
    """Show how each tool did lately."""
    said = request.query_params.get("hours", "")
    hours = int(said) if said in map(str, HOURS) else 6
    async with reading(request) as connection:
        context = {
            "tools": await rows(connection, TOOLS, hours=hours, most=MOST),
            "faults": await rows(connection, FAULTS, hours=hours),
            "hours": hours,
            "choices": HOURS,
            "most": MOST,
        }
    return page(request, "tools.html", context)
