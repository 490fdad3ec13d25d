"""Locks: who holds what, and who waits for whom."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..door import reading
from ..render import page
from .ask import PAGE, rows

LOCKS = """
select lock_name, slot, state, holder, run_id, acquired_at, held_for, expires_at,
  time_left, renewals, waiting, denied_since
from agentdb.lock_status
where state <> 'free' or waiting > 0
order by array_position(array['stale', 'held', 'cooling', 'free'], state),
  lock_name, slot
limit %(most)s::integer
"""
WAITS = "select * from agentdb.lock_wait order by since_at limit %(most)s::integer"


async def locks(request: Request) -> Response:
    """Show the locks that are held, those that went stale first."""
    async with reading(request) as connection:
        context = {
            "locks": await rows(connection, LOCKS, most=4 * PAGE),
            "waits": await rows(connection, WAITS, most=4 * PAGE),
        }
    return page(request, "locks.html", context)
