"""A claim states values: what the run left in its rows, and nothing that it may not read."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from agentdb.demo import airline
from agentdb.demo.recording import Event, lines, read

from .agents import refusal, register, row, start, value
from .conftest import Connect, Connection
from .test_audit_replay import put_back, writes
from .test_claim import agent, audited, claim, complete, evidence

__all__ = ["agent", "audited"]
RECORDED = Path(__file__).parent / "data" / "airline"


def left(agent: Connection, given: object, operation: str = "update") -> int:
    """Claim values of orders and return the claim."""
    call = (
        "select claim_id from agentdb.claim_rows('orders', %s, new_values => %s::jsonb)"
    )
    return int(value(agent, call, operation, json.dumps(given)))


def test_values_that_were_written_are_verified(
    agent: Connection, audited: Connection
) -> None:
    agent.execute("update orders set state = 'sent' where id in (1, 2)")
    agent.execute("update orders set state = 'paid' where id = 2")
    agent.execute("insert into orders values (10, null)")
    left(agent, [{"id": 1, "state": "sent"}, {"id": 2, "state": "paid"}])
    left(agent, {"state": None}, "insert")
    claim(
        agent,
        "claim_rows('orders', 'update', '[1]', new_values => '{\"state\":\"sent\"}')",
    )
    claim(agent, "claim_rows('orders', 'update', count => 2)")
    done = complete(agent)
    assert (done["state"], done["verified"]) == ("succeeded", 4)


def test_right_keys_and_wrong_values_are_refuted_with_both(
    agent: Connection, audited: Connection
) -> None:
    agent.execute("update orders set state = 'sent' where id in (1, 2)")
    keys = claim(agent, "claim_rows('orders', 'update', keys => '[1, 2]')")
    number = left(agent, [{"id": 1, "state": "sent"}, {"id": 2, "state": "paid"}])
    everything = left(agent, {"state": "paid"})
    done = complete(agent)
    assert (done["verified"], done["refuted"]) == (1, 2)
    assert keys < number
    wrong = {"key": {"id": 2}, "column": "state", "claimed": "paid", "recorded": "sent"}
    assert evidence(audited, number) == {"rows": 2, "other_values": [wrong]}
    found: Any = evidence(audited, everything)
    assert [each["key"]["id"] for each in found["other_values"]] == [1, 2]
    told = value(
        audited,
        "select annotations ->> 'summary' from agentdb.refuted_claim"
        " where labels ->> 'claim' = %s::text",
        number,
    )
    assert 'other values: state of {"id": 2} is "sent", not "paid"' in told
    assert told.endswith("; no call of the run could have done it")


def test_mismatch_says_how_many_and_which(
    agent: Connection, audited: Connection
) -> None:
    agent.execute("update orders set state = 'sent' where id <= 7")
    agent.execute("select agentdb.log_tool_call('sql')")
    claim(agent, "claim_rows('orders', 'update', keys => '[1,2,3,4,5,6,7,8,9]')")
    claim(agent, "claim_rows('orders', 'update', count => 9)")
    assert complete(agent)["refuted"] == 2
    told = [
        each["summary"]
        for each in (
            row(audited, "select annotations from agentdb.refuted_claim order by labels"
                " limit 1")["annotations"],
            row(audited, "select annotations from agentdb.refuted_claim order by labels"
                " offset 1")["annotations"],
        )
    ]  # fmt: skip
    assert 'claimed 9, recorded 7; not done: {"id": 8}, {"id": 9}' in told[0]
    assert told[1].endswith("claimed 9, recorded 7")


def test_call_that_its_tool_could_have_caused_is_a_cause(
    agent: Connection, audited: Connection
) -> None:
    audited.execute(
        "select agentdb.register_tool('pay', writes =>"
        ' \'[{"table": "public.orders", "operation": "update"}]\', agent => \'a\')'
    )
    audited.execute(
        "select agentdb.register_tool('look', writes => '[]', agent => 'a')"
    )
    agent.execute("select agentdb.log_tool_call('look')")
    claim(agent, "claim_rows('orders', 'update', keys => '[1]')")
    complete(agent)
    summary = "select annotations ->> 'summary' from agentdb.refuted_claim"
    assert value(audited, summary).endswith("no call of the run could have done it")
    start(agent)
    agent.execute("select agentdb.log_tool_call('pay', ok => false, error => 'no')")
    claim(agent, "claim_rows('orders', 'update', keys => '[1]')")
    agent.execute("select agentdb.log_tool_call('pay')")
    complete(agent)
    later = f"{summary} where labels ->> 'run' = '2'"
    assert "no call of the run" not in value(audited, later)


def test_column_that_the_run_did_not_write_is_not_held_against_it(
    agent: Connection, audited: Connection
) -> None:
    audited.execute("alter table orders add note text")
    audited.execute("select agentdb.maintain()")
    agent.execute("update orders set state = 'sent' where id = 1")
    number = left(agent, [{"id": 1, "state": "sent", "note": "x"}])
    assert complete(agent)["refuted"] == 0
    state = "select state from agentdb.claim where claim_id = %s"
    assert value(audited, state, number) != "verified"
    assert evidence(audited, number) == {
        "rows": 1,
        "not_written": [{"key": {"id": 1}, "column": "note"}],
    }


def test_value_that_is_taken_back_is_not_left(
    agent: Connection, audited: Connection
) -> None:
    agent.execute("update orders set state = 'paid' where id = 1")
    agent.execute("update orders set state = 'new' where id = 1")
    agent.execute(
        "insert into orders values (12, 'a'); delete from orders where id = 12"
    )
    agent.execute(
        "delete from orders where id = 2; insert into orders values (2, 'new')"
    )
    left(agent, [{"id": 1, "state": "paid"}])
    left(agent, [{"id": 12, "state": "a"}], "insert")
    left(agent, [{"id": 2, "state": "new"}])
    left(agent, {"state": "new"})
    assert complete(agent)["refuted"] == 4
    assert value(audited, "select count(*) from agentdb.row_diff(1)") == 3


@pytest.mark.parametrize(
    ("given", "operation", "sqlstate"),
    [
        ({"nothing": 1}, "update", "ZA004"),
        ([{"id": 1}], "update", "ZA004"),
        ([{"state": "x"}], "update", "ZA004"),
        ([], "update", "ZA004"),
        ({}, "update", "ZA004"),
        ([1], "update", "ZA004"),
        ("x", "update", "ZA004"),
        ({"state": "x"}, "delete", "ZA004"),
        ([{"id": "x", "state": "x"}], "update", "ZA004"),
        ({"when": "yesterday or so"}, "update", "ZA004"),
        ({"card": "4111"}, "update", "ZA004"),
        ({"left_out": "x"}, "update", "ZA004"),
        ({"secret": "x"}, "update", "42501"),
        ([{"id": i, "state": "x"} for i in range(1001)], "update", "ZA004"),
        ({"state": "x" * 70_000}, "update", "ZA004"),
    ],
)
def test_what_cannot_be_claimed(
    db: Connection, connect: Connect, given: object, operation: str, sqlstate: str
) -> None:
    db.execute(
        "create table orders (id int primary key, state text, card text, secret text,"
        ' left_out text, "when" timestamptz)'
    )
    db.execute("grant update, insert on orders to agent_a")
    db.execute('grant select (id, state, card, left_out, "when") on orders to agent_a')
    db.execute("select agentdb.audit_table('orders', '{left_out}', '{card}')")
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    said = refusal(
        session,
        "select agentdb.claim_rows('orders', %s, new_values => %s::jsonb)",
        operation,
        json.dumps(given),
    )
    assert said.sqlstate == sqlstate
    assert value(db, "select count(*) from agentdb.claim") == 0


def test_no_verdict_tells_what_a_role_may_not_read(
    db: Connection, connect: Connect
) -> None:
    db.execute(
        "create table orders (id int primary key, pin text default 'p-1234', state text)"
    )
    db.execute("grant insert, select (id, state) on orders to agent_a")
    db.execute("select agentdb.audit_table('orders')")
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    session.execute("insert into orders (id, state) values (1, 'new')")
    for guess in ("p-1234", "p-1235"):
        said = refusal(
            session,
            "select agentdb.claim_rows('orders', 'insert', new_values => %s::jsonb)",
            json.dumps({"pin": guess}),
        )
        assert said.sqlstate == "42501"
        assert (
            said.message_primary == "agent_a may not read column pin of public.orders"
        )


def test_values_of_every_type_are_as_the_log_has_them(
    db: Connection, connect: Connect
) -> None:
    db.execute(
        "create domain amount as numeric check (value >= 0);"
        "create table odd (id int primary key, n amount, f float8, t timestamptz, d date,"
        " a text[], j jsonb, b bytea, i interval, u uuid, v varchar(5), k boolean)"
    )
    db.execute("grant all on odd to agent_a; revoke trigger on odd from agent_a")
    if db.info.server_version >= 170000:
        db.execute("revoke maintain on odd from agent_a")
    db.execute("select agentdb.audit_table('odd')")
    register(db)
    session = connect(db.info.dbname, "agent_a")
    session.execute("set timezone = 'Asia/Tokyo'; set datestyle = 'German, DMY'")
    start(session)
    session.execute(
        "insert into odd values (1, 12.50, 0.1, '2026-01-02 03:04:05Z', '2026-01-02',"
        " '{a,b}', '{\"x\": [1, null]}', '\\x00ff', '90 minutes',"
        " '11111111-1111-1111-1111-111111111111', 'abc', true)"
    )
    claim(
        session,
        "claim_rows('odd', 'insert', keys => '1', new_values => '"
        '{"n": "12.5", "f": 0.1, "t": "2026-01-02T04:04:05+01:00", "d": "2026-01-02",'
        ' "a": ["a", "b"], "j": {"x": [1, null]}, "b": "\\\\x00ff", "i": "01:30:00",'
        ' "u": "11111111-1111-1111-1111-111111111111", "v": "abc", "k": true}\')',
    )
    assert complete(session)["verified"] == 1


Rows = dict[tuple[str, str], dict[str, Any]]


def final(events: list[Event]) -> Rows:
    """Return what a recorded run left in the rows that it wrote."""
    found: Rows = defaultdict(dict)
    for write in writes(events):
        key = airline.KEYS[write["table"]]
        pk = write.get("pk") or write["row"][key]
        found[write["table"], pk].update(write.get("set") or write["row"])
    return dict(found)


def test_recorded_runs_with_the_right_keys_and_wrong_values_are_found(
    db: Connection, connect: Connect
) -> None:
    """What a run that succeeded at a task left is what the others were asked for."""
    truth = {each["run"]: each for each in lines(RECORDED / "truth.jsonl")}
    recording = {n: list(e) for n, e in read(RECORDED / "events.jsonl").items()}
    asked: dict[str, list[Rows]] = defaultdict(list)
    for name, events in recording.items():
        if truth[name]["reward"] == 1 and (wrote := final(events)):
            asked[name.rpartition("-")[0]].append(wrote)
    register(db)
    airline.create(db, RECORDED, "agent_a")
    for table in airline.KEYS:
        db.execute("select agentdb.audit_table(%s::regclass)", [f"airline.{table}"])
    session = connect(db.info.dbname, "agent_a")
    by_keys, by_values = {}, {}
    for name, events in recording.items():
        wrote = final(events)
        goals = [g for g in asked[name.rpartition("-")[0]] if g.keys() == wrote.keys()]
        if goals:
            by_keys[name] = judged(db, session, events, wrote, valued=False)
            found = {judged(db, session, events, goal) for goal in goals}
            by_values[name] = "succeeded" if "succeeded" in found else "unverified"
    wrong = {name for name in by_keys if truth[name]["rows_wrong"]}
    assert len(wrong) == 9
    assert {by_keys[name] for name in wrong} == {"succeeded"}
    assert {by_values[name] for name in wrong} == {"unverified"}
    good = by_keys.keys() - wrong
    assert len(good) >= 9
    assert {by_values[name] for name in good} == {"succeeded"}


def judged(
    db: Connection,
    session: Connection,
    events: list[Event],
    goal: Rows,
    *,
    valued: bool = True,
) -> str:
    """Replay a run that claims what it was asked for; return how it stands."""
    start(session)
    for statement in airline.statements(writes(events)):
        session.execute(statement)
    inserted = {
        w["row"][airline.KEYS[w["table"]]]
        for w in writes(events)
        if w["op"] == "insert"
    }
    for (table, pk), asked in goal.items():
        key = airline.KEYS[table]
        session.execute(
            "select agentdb.claim_rows(%s, %s, keys => %s::jsonb, new_values => %s::jsonb)",
            [
                f"airline.{table}",
                "insert" if pk in inserted else "update",
                json.dumps([pk]),
                json.dumps({n: v for n, v in asked.items() if n != key})
                if valued
                else None,
            ],
        )
    state = str(complete(session)["state"])
    put_back(db, events)
    return state
