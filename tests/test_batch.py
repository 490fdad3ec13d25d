"""A batch records what its elements would have recorded one by one."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .agents import Row, register, row, rows, start, value
from .conftest import Connect, Connection

EXAMPLES = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=150,
)
ID = st.sampled_from(["c1", "c2", "c3", "toolu_0123456789abcdef", "x" * 201, " a", 7])
NAME = st.sampled_from(
    ["read", "mcp__db:query", "made up", "", "a\nb", "x" * 300, 5, None]
)
ANY = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**19), st.text("a1é\n ", max_size=4)
)
ARGS = st.one_of(ANY, st.just({"id": 7, "q": "May"}), st.just('{"q": "as text"}'))
PLAIN_CALL = st.fixed_dictionaries(
    {"tool": st.sampled_from(["read", "write"])},
    optional={
        "args": ARGS,
        "ok": st.booleans(),
        "error": st.sampled_from(["no such file", "took 12 ms", None]),
        "result": st.sampled_from(["12 rows in 7 ms", "", {"rows": 3}]),
        "result_size": st.integers(0, 10**6),
        "duration": st.sampled_from(["1.5 s", "20 ms", 3, "7", 0.25]),
        "call_id": st.sampled_from(["c1", "c2", "toolu_0123456789abcdef"]),
    },
)
CALL = st.one_of(
    PLAIN_CALL,
    st.fixed_dictionaries(
        {"tool": NAME},
        optional={
            "args": ARGS,
            "ok": ANY,
            "error": ANY,
            "result": ANY,
            "result_size": ANY,
            "duration": st.one_of(ANY, st.sampled_from(["1 h", "-1 s", "200 years"])),
            "call_id": ID,
            "violation": st.sampled_from([None, "", "q is missing"]),
        },
    ),
    ANY,
)
AMOUNT = st.one_of(st.integers(0, 4000), st.just(2048), ANY, st.just("12"))
COST = st.one_of(st.sampled_from([0.1, 1, "0.25", 1e-7, 1e300, "NaN", -1]), ANY)
PLAIN_USAGE = st.fixed_dictionaries(
    {"input": st.integers(0, 4000)},
    optional={
        "output": st.integers(0, 900),
        "cached_input": st.sampled_from([0, 100, 2048]),
        "model": st.sampled_from(["m-1", "opus", None]),
        "cost": st.sampled_from([0.1, 1, 0.000001234567891]),
        "response_id": st.sampled_from(["r1", "resp_0123456789abcd", "resp_" * 4]),
    },
)
USAGE = st.one_of(
    PLAIN_USAGE,
    st.fixed_dictionaries(
        {},
        optional={
            "input": AMOUNT,
            "output": AMOUNT,
            "cached_input": AMOUNT,
            "reasoning": AMOUNT,
            "model": NAME,
            "cost": COST,
            "input_cost": COST,
            "cached_input_cost": COST,
            "output_cost": COST,
            "priced_by": NAME,
            "response_id": ID,
            "cached_within": ANY,
        },
    ),
    ANY,
)
STEP = st.fixed_dictionaries(
    {"step": st.sampled_from(["read May", "wrote 3", "", " ", 7, None])},
    optional={"details": ARGS},
)


def of_kind(kind: str, event: Any) -> Any:
    """Say of an event what it is, as a mixed batch has it."""
    return {**event, "kind": kind} if isinstance(event, dict) else event


PLAIN_EVENT = st.one_of(
    PLAIN_CALL.map(lambda call: of_kind("tool_call", call)),
    PLAIN_USAGE.map(lambda usage: of_kind("tokens", usage)),
    st.sampled_from(["read May", "wrote 3"]).map(
        lambda step: {"kind": "progress", "step": step}
    ),
)
EVENT = st.one_of(
    CALL.map(lambda call: of_kind("tool_call", call)),
    USAGE.map(lambda usage: of_kind("tokens", usage)),
    STEP.map(lambda step: of_kind("progress", step)),
    st.sampled_from([{"kind": "song", "tool": "read"}, {"tool": "read"}, 7]),
)
KINDS = {
    "tool_call": ("log_tool_call", "tool_call_log", "tool_call_log_id"),
    "tokens": ("log_tokens", "token_log", "token_log_id"),
    "progress": ("log_progress", "progress_log", "progress_log_id"),
}
# What a call is made of: numbers of rows and runs and moments are its own.
OWN = "- array['{key}', 'run_id', 'agent_id', 'recorded_at', 'xid']"
CALLS = {
    "tool_call": (
        "select agentdb.log_tool_call(tool => agentdb._json_text(e, 'tool'),"
        " args => nullif(e -> 'args', 'null'),"
        " ok => coalesce(agentdb._json_text(e, 'ok')::boolean, true),"
        " error => agentdb._json_text(e, 'error'),"
        " result_size => agentdb._json_text(e, 'result_size')::bigint,"
        " duration => agentdb._json_text(e, 'duration')::interval,"
        " call_id => agentdb._json_text(e, 'call_id'), result => e ->> 'result',"
        " violation => agentdb._json_text(e, 'violation')) from (select %s::jsonb) as j (e)"
    ),
    "tokens": (
        "select agentdb.log_tokens(input => agentdb._json_text(e, 'input')::bigint,"
        " output => coalesce(agentdb._json_text(e, 'output')::bigint, 0),"
        " cached_input => coalesce(agentdb._json_text(e, 'cached_input')::bigint, 0),"
        " reasoning => coalesce(agentdb._json_text(e, 'reasoning')::bigint, 0),"
        " model => agentdb._json_text(e, 'model'),"
        " cost => agentdb._json_text(e, 'cost')::double precision,"
        " input_cost => agentdb._json_text(e, 'input_cost')::numeric,"
        " cached_input_cost => agentdb._json_text(e, 'cached_input_cost')::numeric,"
        " output_cost => agentdb._json_text(e, 'output_cost')::numeric,"
        " priced_by => agentdb._json_text(e, 'priced_by'),"
        " response_id => agentdb._json_text(e, 'response_id'),"
        " cached_within => agentdb._json_text(e, 'cached_within')::boolean)"
        " from (select %s::jsonb) as j (e)"
    ),
    "progress": (
        "select agentdb.log_progress(agentdb._json_text(e, 'step'),"
        " nullif(e -> 'details', 'null')) from (select %s::jsonb) as j (e)"
    ),
}


@pytest.fixture
def twins(db: Connection, connect: Connect) -> tuple[Connection, Connection]:
    """The sessions of two agents, each with an open run."""
    sessions = []
    for name in ("a", "b"):
        register(db, name, f"agent_{name}")
        session = connect(db.info.dbname, f"agent_{name}")
        start(session)
        sessions.append(session)
    # The pieces that the calls are made of are nobody's but ours.
    db.execute("grant execute on function agentdb._json_text to agent_a, agent_b")
    return sessions[0], sessions[1]


def recorded(db: Connection, kind: str, agent: str, since: int) -> list[Row]:
    """Return what is recorded of an agent since a row of the log, in order."""
    _, log, key = KINDS[kind]
    own = OWN.format(key=key)
    found = rows(
        db,
        f"select to_jsonb(l) {own} as event from agentdb.{log} as l"
        " join agentdb.agent as a using (agent_id) where a.agent_name = %s"
        f" and l.{key} > %s order by l.{key}",
        agent,
        since,
    )
    found += rows(
        db,
        "select jsonb_build_object('call_id', c.call_id, 'tool', c.tool, 'ended',"
        " c.ended_at is not null) as event from agentdb.tool_call as c"
        " join agentdb.agent as a using (agent_id) where a.agent_name = %s"
        " order by c.call_id",
        agent,
    )
    found += rows(
        db,
        "select jsonb_build_object('fault', f.fault, 'detail', f.detail) as event"
        " from agentdb.tool_fault as f join agentdb.run using (run_id)"
        " join agentdb.agent as a using (agent_id) where a.agent_name = %s"
        " order by f.tool_call_log_id, f.fault",
        agent,
    )
    return found


def compare(
    db: Connection,
    twins: tuple[Connection, Connection],
    kind: str | None,
    events: list[Any],
) -> None:
    """Send events as a batch for one agent, and one by one for the other."""
    kinds = [kind] if kind else list(KINDS)
    since = {each: newest(db, each) for each in kinds}
    single, many = twins
    counts = {"recorded": 0, "repeated": 0}
    refused, order = [], []
    for place, event in enumerate(events, 1):
        own = kind or (event.get("kind") if isinstance(event, dict) else None)
        if own not in KINDS:
            refused.append(place)
            continue
        repeated = "false" if own == "progress" else "(t.o).repeated"
        query = f"select {repeated} from ({CALLS[own]}) as t (o)"
        try:
            said = single.execute(query.encode(), [json.dumps(event)]).fetchone()
        except psycopg.Error as error:
            assert (error.sqlstate or "")[:2] in ("22", "ZA")
            refused.append(place)
            continue
        assert said is not None
        counts["repeated" if said[0] else "recorded"] += 1
        order += [own] * (not said[0])
    function = f"{KINDS[kind][0]}_many" if kind else "log_events"
    given_events = json.dumps(events)
    answer = row(many, f"select * from agentdb.{function}(%s::jsonb)", given_events)
    assert {name: answer[name] for name in counts} == counts
    assert [each["row"] for each in answer["refused"] or []] == refused
    for each in kinds:
        here, there = (recorded(db, each, who, since[each]) for who in ("b", "a"))
        assert here == there
    told = [
        f"select recorded_at, '{each}' as kind from agentdb.{KINDS[each][1]}"
        f" join agentdb.agent as a using (agent_id) where a.agent_name = 'b'"
        f" and {KINDS[each][2]} > {since[each]}"
        for each in kinds
    ]
    found = rows(db, f"{' union all '.join(told)} order by recorded_at")
    assert [each["kind"] for each in found] == order


def newest(db: Connection, kind: str) -> int:
    """Return the number of the last event of a kind."""
    _, log, key = KINDS[kind]
    return int(value(db, f"select coalesce(max({key}), 0) from agentdb.{log}"))


@EXAMPLES
@given(events=st.lists(PLAIN_CALL, max_size=9) | st.lists(CALL, max_size=6))
def test_tool_calls(
    db: Connection, twins: tuple[Connection, Connection], events: list[Any]
) -> None:
    compare(db, twins, "tool_call", events)


@EXAMPLES
@given(events=st.lists(PLAIN_USAGE, max_size=9) | st.lists(USAGE, max_size=6))
def test_usages(
    db: Connection, twins: tuple[Connection, Connection], events: list[Any]
) -> None:
    compare(db, twins, "tokens", events)


@EXAMPLES
@given(events=st.lists(PLAIN_EVENT, max_size=12) | st.lists(EVENT, max_size=6))
def test_events_of_all_kinds(
    db: Connection, twins: tuple[Connection, Connection], events: list[Any]
) -> None:
    compare(db, twins, None, events)


def test_a_registry_is_asked_in_batches_too(
    db: Connection, twins: tuple[Connection, Connection]
) -> None:
    db.execute(
        "select agentdb.register_tools('[{\"name\": \"read\"}]'::jsonb, agent => 'a'),"
        " agentdb.register_tools('[{\"name\": \"read\"}]'::jsonb, agent => 'b')"
    )
    compare(db, twins, "tool_call", [{"tool": "read"}, {"tool": "write"}])
    compare(db, twins, "tool_call", [{"tool": "read"}, {"tool": "read", "ok": False}])
    mixed = [{"kind": "tool_call", "tool": "write"}, {"kind": "progress", "step": "s"}]
    compare(db, twins, None, mixed)
    faults = rows(db, "select fault from agentdb.tool_fault")
    assert faults == [{"fault": "unknown"}] * 4


def test_a_call_that_was_begun_ends_in_a_batch(
    db: Connection, twins: tuple[Connection, Connection]
) -> None:
    _, many = twins
    many.execute("select agentdb.begin_tool_call('read', null, 'c1')")
    events = [{"tool": "read", "call_id": "c1"}, {"tool": "read", "call_id": "c1"}]
    query = "select recorded, repeated from agentdb.log_tool_call_many(%s::jsonb)"
    assert row(many, query, json.dumps(events)) == {"recorded": 1, "repeated": 1}
    assert row(many, query, json.dumps(events)) == {"recorded": 0, "repeated": 2}
    assert rows(db, "select ended_at is null as open from agentdb.tool_call") == [
        {"open": False}
    ]


def test_what_is_said_of_a_refused_row_deceives_no_reader(
    twins: tuple[Connection, Connection],
) -> None:
    events = [{"tool": "read", "duration": "\x1b[2J\nALL IS WELL"}]
    query = "select refused -> 0 ->> 'why' from agentdb.log_tool_call_many(%s::jsonb)"
    said = value(twins[0], query, json.dumps(events))
    assert said.endswith('interval: "\ufffd[2J ALL IS WELL"')
