"""What a poll looks at grows with the traffic of its windows, not with that times agents."""

from __future__ import annotations

from typing import Any

import pytest

from .agents import rows
from .conftest import Connection

AGENTS, CALLS = 60, 40
# Three quarters of an hour's work of a fleet, written as it would lie there.
FLEET = f"""
insert into agentdb.agent (agent_name, role_name, pooled, policy_name)
select 'a' || i, 'agent_a', true, 'default' from generate_series(1, {AGENTS}) as i;
insert into agentdb.run (agent_id, role_name, pooled, conversation, started_at, label,
  lock_max_ttl, renew_needs_progress)
select agent_id, 'agent_a', true, 'c', now() - interval '20 minutes', agent_name,
  '1 hour', false
from agentdb.agent;
insert into agentdb.tool_call_log (run_id, agent_id, tool, args, ok, error,
  result_size, recorded_at)
select r.run_id, r.agent_id, 't' || c % 5, jsonb_build_object('q', c), c % 9 > 0,
  case when c % 9 = 0 then 'no such file' end, 200,
  now() - interval '5 minutes' + c * interval '1 second'
from agentdb.run as r, generate_series(1, {CALLS}) as c;
insert into agentdb.token_log (run_id, agent_id, input_tokens, cached_input_tokens,
  output_tokens, reasoning_tokens, recorded_at)
select r.run_id, r.agent_id, 900, 0, 40, 0,
  now() - interval '5 minutes' + c * interval '1 second'
from agentdb.run as r, generate_series(1, {CALLS}) as c;
insert into agentdb.progress_log (run_id, agent_id, step, recorded_at)
select r.run_id, r.agent_id, 'page ' || c,
  now() - interval '5 minutes' + c * interval '1 second'
from agentdb.run as r, generate_series(1, {CALLS}) as c;
"""


@pytest.fixture
def fleet(db: Connection) -> Connection:
    """A database in which many agents have been at work."""
    for statement in FLEET.split(";"):
        if statement.strip():
            db.execute(statement.encode())
    db.execute("select agentdb.roll_up()")
    db.execute("vacuum analyze")
    return db


def removed(plan: dict[str, Any]) -> float:
    """Return how many rows the joins of a plan compared in vain."""
    here = float(plan.get("Rows Removed by Join Filter", 0) * plan["Actual Loops"])
    return here + sum(removed(part) for part in plan.get("Plans", []))


def test_no_rule_compares_every_row_with_every_agent(fleet: Connection) -> None:
    listed = rows(fleet, "select view_name from agentdb.alert_rule order by rule_name")
    most = AGENTS * CALLS * 8
    dear = {}
    for name in (each["view_name"] for each in listed):
        explain = f"explain (analyze, timing off, format json) select * from {name}"
        ((plan,),) = fleet.execute(explain.encode()).fetchone() or ()
        if (lost := removed(plan["Plan"])) > most:
            dear[name] = lost
    assert dear == {}
