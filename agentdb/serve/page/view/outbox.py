"""Messages: what waits, and what was given up."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..door import reading
from ..render import page
from .ask import rows

MESSAGES = """
select n.notification_id, n.receiver_name, n.kind, n.state, n.alert_id,
  n.alert_group_id, n.attempt, n.created_at, n.finished_at, n.status, n.error,
  n.payload ->> 'summary' as summary
from agentdb.notification as n
where n.state = %(state)s::text
order by n.notification_id desc
limit 100
"""
RECEIVERS = """
select r.receiver_name, r.channel, r.min_severity, r.enabled, r.escalate_after,
  r.escalate_to
from agentdb.receiver as r
order by r.receiver_name
limit 200
"""


async def outbox(request: Request) -> Response:
    """Show dead letters, what waits, and the receivers."""
    async with reading(request) as connection:
        context = {
            "dead": await rows(connection, MESSAGES, state="dead"),
            "queued": await rows(connection, MESSAGES, state="queued"),
            "receivers": await rows(connection, RECEIVERS),
        }
    return page(request, "outbox.html", context)
