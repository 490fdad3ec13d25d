"""Status: is alerting alive, what fires, how agents are, what waits for somebody."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ....words import counted
from ..door import reading
from ..render import page
from .ask import Row, one, rows

ALERTING = "select * from agentdb.alerting_status"
CHECKS = """
select check_name, state, detail from agentdb.health_check where check_name <> 'alerts'
"""
INCIDENTS = """
select * from agentdb.incident
order by array_position(array['firing', 'acknowledged', 'silenced'], state),
  array_position(array['critical', 'warning', 'info'], severity), since
"""
AGENTS = """
select agent_name, state, since, why, urgency,
  count(*) over (partition by state) as alike
from agentdb.agent_health
order by urgency, since desc, agent_name
"""
BOARD = "select * from agentdb.agent_board where agent_name = any (%(names)s::text[])"
CHANGES = """
select change_id, state, agent_name, on_behalf_of, proposed_by, reason, row_count,
  tables, submitted_at, expires_at, approvals_missing
from agentdb.change_summary
where state in ('pending', 'approved')
order by submitted_at
limit 20
"""
QUESTIONS = """
select question_id, agent_name, run_id, urgency, asked_at, question
from agentdb.open_question
order by array_position(array['high', 'normal', 'low'], urgency), asked_at
limit 20
"""
# What it means that a check of alerting itself fails.
BROKEN = {
    "runner": "Nobody is alerted",
    "rules": "Rules are not evaluated",
    "delivery": "Messages do not arrive",
}
# Of many the worst are enough at one look; the rest is on pages of their own.
SHOWN_INCIDENTS, SHOWN_AGENTS = 8, 12


async def status(request: Request) -> Response:
    """Show whether all is well; to who reads changes alone, those."""
    person = request.state.person
    if not person.reads and "approve" in person.can:
        return RedirectResponse("/changes", 303)
    async with reading(request) as connection:
        alerting = await one(connection, ALERTING) or {}
        checks = await rows(connection, CHECKS)
        incidents = await rows(connection, INCIDENTS)
        agents = await rows(connection, AGENTS)
        names = [each["agent_name"] for each in agents[:SHOWN_AGENTS]]
        board = {
            each["agent_name"]: each
            for each in await rows(connection, BOARD, names=names)
        }
        changes = await rows(connection, CHANGES)
        questions = await rows(connection, QUESTIONS)
    counts = {
        state: sum(each["state"] == state for each in incidents)
        for state in ("firing", "acknowledged", "silenced")
    }
    context = {
        "alerting": alerting,
        "checks": checks,
        "hero": _hero(checks, incidents, changes, questions),
        "counts": counts,
        "incidents": incidents[:SHOWN_INCIDENTS],
        "more_incidents": len(incidents) - SHOWN_INCIDENTS,
        "agents": agents[:SHOWN_AGENTS],
        "agent_count": len(agents),
        "words": {each["state"]: each["alike"] for each in agents},
        "board": board,
        "changes": changes,
        "questions": questions,
    }
    return page(request, "status.html", context)


def _hero(
    checks: list[Row], incidents: list[Row], changes: list[Row], questions: list[Row]
) -> dict[str, str]:
    """Return the one sentence that is read first, and how it is shown."""
    broken = [each for each in checks if each["state"] != "ok"]
    firing = [each for each in incidents if each["state"] == "firing"]
    waits = [
        counted(len(found), what)
        for found, what in ((changes, "change"), (questions, "question"))
        if found
    ]
    below = f"{' and '.join(waits)} wait for somebody." if waits else ""
    if len(waits) == 1 and waits[0].startswith("1 "):
        below = f"{waits[0]} waits for somebody."
    verb = "is" if len(firing) == 1 else "are"
    fires = f"{counted(len(firing), 'incident')} {verb} firing"
    for each in broken:
        if each["state"] == "critical":
            title = BROKEN.get(each["check_name"], f"Look at {each['check_name']}")
            below = f"{each['detail']}. {fires if firing else 'Nothing is firing'}."
            return {"tone": "critical", "title": title, "below": below}
    if firing:
        tone = "critical" if firing[0]["severity"] == "critical" else "warning"
        return {"tone": tone, "title": fires, "below": below}
    if broken:
        title = f"Look at {broken[0]['check_name']}"
        return {"tone": "warning", "title": title, "below": broken[0]["detail"]}
    if waits:
        title = below.removesuffix(".")
        return {"tone": "warning", "title": title, "below": "Nothing is firing."}
    return {"tone": "ok", "title": "All is well", "below": "Nothing is firing."}
