"""The paragraph for an agent's system prompt, made from what is installed."""

from __future__ import annotations

import re

import psycopg

from ..errors import NotFound

# Each line stands where every function that it names exists.
LINES = (
    "You work under agentdb, which watches from inside PostgreSQL. Call its "
    "functions with SQL; each answers with a row.",
    "- Begin: select * from agentdb.start_run(purpose => '...'). End with select "
    "* from agentdb.complete_run(summary => '...'), or agentdb.end_run(outcome =>"
    " 'failed', summary => '...') if you could not do it. Saying so is better "
    "than pretending.",
    "- After every meaningful step: select agentdb.log_progress(step => '...'). "
    "The same words again are no progress.",
    "- After every tool call: agentdb.log_tool_call(tool => '...', args => "
    "'{...}', ok => true, error => null, result => '...'); of the result only a "
    "hash is kept.",
    "- Before every prompt: agentdb.reserve_tokens(estimate => n, max_output => "
    "n); after it agentdb.settle_tokens(...). If refused, start a new "
    "conversation with a summary, or read less.",
    "- Read little: use grep, head, WHERE and LIMIT before you read a whole file "
    "or table.",
    "- Work that must not be done twice at once: agentdb.acquire_lock(name => "
    "'...', ttl => '15 min'). If acquired is false, do not do the work. "
    "Afterwards agentdb.release_lock(name => '...', fence => n).",
    "- Guarded tables: write to the view of the same name in schema "
    "agentdb_stage, or call agentdb.stage_change(...). Nothing is changed until "
    "somebody approves it, so do not say that it is.",
    "- Claim what you have done before you complete: agentdb.claim_rows(relation "
    "=> '...', operation => 'insert', new_values => "
    '\'[{"id": 7, "state": "paid"}]\'), agentdb.claim_file(path => \'...\'), '
    "agentdb.claim_http(url "
    "=> '...'), agentdb.claim_message(channel => '...', recipient => '...'). Claim the "
    "values that you were asked for, not only keys: take them from the task, not from "
    "what you wrote. Each claim is looked up; a false one makes the run unverified.",
    "- A table you cannot use: select * from agentdb.explain_access(relation => "
    "'...', privilege => 'select') says why; the privilege may also be insert, update "
    "or delete.",
    "- If you need a decision or a right: agentdb.ask_human(question => '...'). "
    "Do not try again and again.",
    "- Errors that begin with ZA say in their HINT what to do: do that, and never"
    " repeat the same call unchanged. ZA040: you were stopped; do nothing more. "
    "ZA041: you are paused; wait.",
)
NO_AGENT = (
    "select agent_name from agentdb.agent; lists them, agentdb agent add {} makes one."
)
POOLED = (
    "- Your role is shared: begin with select * from agentdb.start_run(agent => '{}', "
    "secret => '...', purpose => '...'), and in every transaction first call "
    "agentdb.bind_run('the token that it returned')."
)
GRANTED = """
select distinct p.proname
from pg_proc as p
where p.pronamespace = 'agentdb'::regnamespace
  and has_function_privilege('agentdb_agent', p.oid, 'execute')
"""
AGENT = """
select a.agent_name, p.conversation_budget_tokens, p.lock_max_ttl::text, a.pooled
from agentdb.agent as a
join agentdb.policy as p on p.policy_name = a.policy_name
where a.agent_name = %s
"""


def prompt(dsn: str, agent: str | None = None) -> str:
    """Return the paragraph, with an agent's own limits where one is named."""
    with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
        granted = {row[0] for row in connection.execute(GRANTED)}
        lines = [line for line in LINES if functions(line) <= granted]
        if agent is not None:
            found = connection.execute(AGENT, [agent]).fetchone()
            if found is None:
                raise NotFound(
                    f"there is no agent {agent}", hint=NO_AGENT.format(agent)
                )
            lines.append(
                f"- You are agent {found[0]}: {found[1]} tokens a conversation, locks "
                f"for {found[2]} at most."
            )
            if found[3]:
                lines.append(POOLED.format(found[0]))
    return "\n".join(lines)


def functions(line: str) -> set[str]:
    """Return the functions that a line names."""
    return set(re.findall(r"agentdb\.([a-z_]+)\(", line))
