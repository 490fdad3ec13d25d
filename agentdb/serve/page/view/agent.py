"""Agents: all of them in a word each, one in full, and what they ask."""

from __future__ import annotations

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from ..door import reading
from ..render import page
from .ask import PAGE, cut, missing, one, page_number, rows, spared, word
from .status import BOARD

AGENTS = """
select agent_name, state, since, why, urgency
from agentdb.agent_health
order by urgency, since desc, agent_name
"""
AGENT = """
select a.agent_name, a.role_name, a.policy_name, a.pooled, a.registered_at, h.state,
  h.since, h.why, h.urgency, b.open_runs, b.last_progress_at, b.tokens_hour,
  b.normal_hour, b.half_hours, b.cost_today, b.locks_held, b.claims_verified,
  b.claims_refuted, b.claims_open, s.kind as stopped, s.stopped_by, s.reason,
  d.max_tokens, d.max_cost, d.spent, d.cost
from agentdb.agent as a
join agentdb.agent_health as h on h.agent_name = a.agent_name
join agentdb.agent_board as b on b.agent_name = a.agent_name
join agentdb.day_budget as d on d.agent_name = a.agent_name
left join agentdb.agent_stop as s on s.agent_id = a.agent_id
where a.agent_name = %(agent)s::text
"""
USUAL = """
select case measure when 'tokens' then 'weighted tokens'
    when 'tick' then 'seconds of a tick' else measure end as measure,
  round(usual::numeric) as usual, round(spread::numeric) as spread, samples, learned
from agentdb.agent_baseline
where agent_name = %(agent)s::text
order by array_position('{tokens,calls,errors,tick}', agent_baseline.measure)
"""
ALERTS = """
select alert_id, severity, state, rule_name, summary, since, acknowledged_by, silence_id
from agentdb.active_alert
where labels ->> 'agent' = %(agent)s::text
order by array_position(array['critical', 'warning', 'info'], severity), since
limit 50
"""
RUNS = """
select s.run_id, s.agent_name, s.state, s.started_at, s.ended_at, s.took, s.tool_calls,
  s.tool_errors, s.input_tokens + s.cached_input_tokens as input, s.output_tokens,
  s.cost, coalesce(s.last_step, s.purpose) as said
from (
  select r.run_id
  from agentdb.run as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  where a.agent_name = %(agent)s::text
  order by r.started_at desc
  limit 15
) as k
cross join lateral (
  select v.* from agentdb.run_summary as v where v.run_id = k.run_id offset 0
) as s
order by s.started_at desc
"""
CLAIMS = """
select c.claim_id, c.run_id, c.kind, c.target, c.state, c.claimed_at
from agentdb.claim as c
join agentdb.agent as a on a.agent_id = c.agent_id
where a.agent_name = %(agent)s::text
order by c.claimed_at desc
limit 15
"""
LOCKS = """
select l.lock_name, l.slot, l.state, l.run_id, l.held_for, l.time_left, l.waiting
from agentdb.lock_status as l
join agentdb.run as r on r.run_id = l.run_id
join agentdb.agent as a on a.agent_id = r.agent_id
where a.agent_name = %(agent)s::text
order by l.lock_name, l.slot
limit 50
"""
QUESTIONS = """
select question_id, agent_name, run_id, urgency, asked_at, options, question
from agentdb.open_question
order by array_position(array['high', 'normal', 'low'], urgency), asked_at
limit 100
"""
ANSWERED = """
select q.question_id, a.agent_name, q.run_id, q.question, q.answer, q.comment,
  q.answered_by, q.answered_at
from agentdb.question as q
join agentdb.agent as a on a.agent_id = q.agent_id
where q.answered_at is not null
order by q.answered_at desc
limit 20
"""


async def agents(request: Request) -> Response:
    """List agents, those that need somebody first."""
    number, state = page_number(request), word(request, "state")
    text = word(request, "q")
    async with reading(request) as connection:
        # How each of them is takes the same work as how many are so.
        everybody = await rows(connection, AGENTS)
        found = [
            each
            for each in everybody
            if (state is None or each["state"] == state)
            and (text is None or text.lower() in each["agent_name"].lower())
        ]
        shown, more = cut(found[PAGE * (number - 1) : PAGE * number + 1])
        names = [each["agent_name"] for each in shown]
        board = await rows(connection, BOARD, names=names)
    context = {
        "agents": shown,
        "board": {each["agent_name"]: each for each in board},
        "words": Counter(each["state"] for each in everybody),
        "asked": {"state": state, "text": text},
        "number": number,
        "more": more,
    }
    return page(request, "agents.html", context)


async def agent(request: Request) -> Response:
    """Show one agent."""
    name = request.path_params["name"]
    async with reading(request) as connection:
        found = await one(connection, AGENT, agent=name)
        if found is None:
            raise missing(f"agent {name}")
        context = {
            "agent": found,
            "usual": await rows(connection, USUAL, agent=name),
            "alerts": await rows(connection, ALERTS, agent=name),
            "runs": await rows(connection, RUNS, agent=name),
            "claims": await rows(connection, CLAIMS, agent=name),
            "locks": await rows(connection, LOCKS, agent=name),
        }
    return page(request, "agent.html", context)


async def questions(request: Request) -> Response:
    """List what agents ask of people."""
    async with reading(request) as connection:
        context = {
            "found": await rows(connection, QUESTIONS),
            "answered": await spared(connection, ANSWERED),
        }
    return page(request, "questions.html", context)
