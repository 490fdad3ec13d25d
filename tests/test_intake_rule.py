"""Rules about what emitters tell, what people see of it, and files of the past."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .agents import row, rows, start, value
from .test_intake import event, intake, record, statuses

if TYPE_CHECKING:
    from .conftest import Connect, Connection

__all__ = ["intake"]
LATER = (
    "update agentdb.run set started_at = started_at - %(ago)s::interval",
    "update agentdb.intake_session set first_at = first_at - %(ago)s::interval, "
    "last_at = last_at - %(ago)s::interval, hook_at = hook_at - %(ago)s::interval",
)


def later(db: Connection, ago: str) -> None:
    """Let a time pass for all sessions."""
    for statement in LATER:
        db.execute(statement.encode(), {"ago": ago})


def unhooked(db: Connection) -> list[str]:
    """Return the conversations that the rule names."""
    return [
        each["conversation"]
        for each in rows(
            db,
            "select r.conversation from agentdb.unhooked_session as u "
            "join agentdb.run as r on r.run_id = (u.labels ->> 'run')::bigint "
            "order by r.run_id",
        )
    ]


def test_a_session_without_the_hooks_of_the_others(
    db: Connection, intake: Connection
) -> None:
    record(intake, event("call", tool="a", conversation="plain"))
    later(db, "11 min")
    # None of its sessions has any.
    assert unhooked(db) == []
    record(
        intake, event("call", tool="a", conversation="hooked", source="hook"), by="hook"
    )
    assert unhooked(db) == ["plain"]
    # Its subagents are no sessions of their own, and idle ones do nothing unseen.
    record(intake, event("call", tool="a", conversation="plain", thread="sub"))
    record(intake, event("start", conversation="idle"))
    later(db, "11 min")
    assert unhooked(db) == ["plain"]
    # Hooks that fell silent: only spans tell of it since.
    record(intake, event("call", tool="b", conversation="hooked"))
    assert unhooked(db) == ["plain", "hooked"]
    record(intake, event("call", tool="b", conversation="hooked"), by="hook")
    assert unhooked(db) == ["plain"]
    record(intake, event("end", conversation="plain"))
    assert unhooked(db) == []


def test_hooks_that_a_policy_expects(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    session = connect(db.info.dbname, "agent_a")
    start(session, conversation="own")
    session.execute("select agentdb.log_tool_call('a')")
    record(intake, event("call", tool="a"))
    later(db, "11 min")
    db.execute("update agentdb.policy set expects_hooks = true")
    assert unhooked(db) == ["own", "c-1"]
    db.execute("update agentdb.policy set expects_hooks = false")
    assert unhooked(db) == []


def test_events_without_proof_are_told_when_they_are_many(
    db: Connection, intake: Connection
) -> None:
    record(intake, *(event("call", tool="a", proven=False) for _ in range(99)))
    assert value(db, "select count(*) from agentdb.unproven_activity") == 0
    record(intake, event("tokens", input=1, proven=False))
    found = row(db, "select labels, value from agentdb.unproven_activity")
    assert found == {"labels": {"agent": "a"}, "value": 100}
    db.execute("update agentdb.policy set unproven_activity_count = null")
    assert value(db, "select count(*) from agentdb.unproven_activity") == 0


def test_the_timeline_says_who_recorded_what(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    session = connect(db.info.dbname, "agent_a")
    run = start(session, conversation="c-1")
    session.execute("select agentdb.log_progress('by itself')")
    record(intake, event("call", tool="read", ok=False, error="no file"))
    record(intake, event("tokens", output=5, model="m"), by="hook")
    record(intake, event("call", tool="rm", args={"p": "/"}, proven=False))
    told = rows(
        connect(db.info.dbname, "auditor_u"),
        "select kind, what, tokens, recorded_by, details from agentdb.timeline(%s)",
        run,
    )
    assert [(each["kind"], each["what"], each["recorded_by"]) for each in told] == [
        ("start", "run began", None),
        ("progress", "by itself", None),
        ("tool call", "read: no file", "otlp"),
        ("tokens", "m", "hook"),
        ("unproven", 'call rm {"p": "/"}', "otlp"),
    ]
    # What nobody told is not said to be 0.
    assert told[3]["details"] == {"output": 5}


def test_an_idle_session_is_not_stuck(db: Connection, intake: Connection) -> None:
    """Nobody knows whether it waits for a person, unless it tells its steps."""
    record(intake, event("call", tool="a", conversation="silent"))
    record(intake, event("progress", step="one", conversation="told"))
    for log in ("progress_log", "tool_call_log"):
        db.execute(f"alter table agentdb.{log} disable trigger user".encode())
        for part in rows(db, "select inhrelid::regclass::text as part from pg_inherits "
                         "where inhparent = %s::regclass", f"agentdb.{log}"):  # fmt: skip
            db.execute(f"alter table {part['part']} disable trigger user".encode())
        db.execute(
            f"update agentdb.{log} set recorded_at = recorded_at - interval '20 min'".encode()
        )
    later(db, "20 min")
    assert value(db, "select count(*) from agentdb.no_progress") == 0
    record(intake, event("call", tool="b", conversation="silent"))
    record(intake, event("call", tool="b", conversation="told"))
    found = rows(db, "select labels ->> 'run' as run from agentdb.no_progress")
    told = value(db, "select run_id::text from agentdb.run where conversation = 'told'")
    assert [each["run"] for each in found] == [told]


def past(db: Connection, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Return events of agent past that happened three days ago, a second apart."""
    day = value(db, "select (now() - interval '3 days')::date::text")
    return [
        {**each, "agent": "past", "at": f"{day}T10:{n // 60:02}:{n % 60:02}Z"}
        for n, each in enumerate(events)
    ]


def bring(operator: Connection, events: list[dict[str, Any]]) -> list[str]:
    """Import events and return what became of each."""
    return statuses(
        operator.execute(
            "select * from agentdb.import_events(%s::text::jsonb)", [json.dumps(events)]
        ).fetchall()
    )


def test_rules_see_in_a_file_what_they_would_have_seen(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    operator = connect(db.info.dbname, "operator_o")
    loop = [
        event("call", tool="read", args={"p": 1}, call_id=f"t{n}") for n in range(9)
    ]
    events = past(db, event("start"), *loop, event("end"))
    assert bring(operator, events) == ["recorded"] * 11
    # In parts, and again.
    assert bring(operator, events[4:6]) == ["repeated"] * 2
    operator.execute("select agentdb.roll_up()")
    moment = events[9]["at"]
    found = rows(
        operator, "select labels from agentdb.rule_silent_loop(%s::timestamptz)", moment
    )
    run = value(db, "select run_id::text from agentdb.run")
    assert [each["labels"] for each in found] == [{"agent": "past", "run": run}]
    before = "select count(*) from agentdb.rule_silent_loop(%s::timestamptz)"
    assert value(operator, before, events[4]["at"]) == 0
    assert value(operator, "select count(*) from agentdb.silent_loop") == 0


def test_what_is_imported_alerts_nobody(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    operator = connect(db.info.dbname, "operator_o")
    now = value(db, "select to_json(now() - interval '1 s')")
    call = {**event("call", tool="x"), "agent": "past", "at": now}
    assert bring(operator, [call]) == ["recorded"]
    instances = [
        {"labels": {"agent": who, "run": "1"}, "value": 1, "annotations": {}}
        for who in ("past", "a")
    ]
    operator.execute(
        "select * from agentdb.ingest('silent_loop', %s, %s::text::jsonb)",
        [0, json.dumps(instances)],
    )
    alerts = rows(db, "select labels ->> 'agent' as agent from agentdb.alert")
    assert [each["agent"] for each in alerts] == ["a"]


def test_nobody_can_be_an_imported_agent(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    operator = connect(db.info.dbname, "operator_o")
    bring(operator, past(db, event("call", tool="x")))
    for statement in (
        "select agentdb.start_run(agent => 'past')",
        "select agentdb.start_run(agent => 'past', secret => '')",
    ):
        session = connect(db.info.dbname, "agent_a")
        try:
            session.execute(statement.encode())
        except Exception as error:
            assert getattr(error, "sqlstate", None) == "ZA002"
        else:
            raise AssertionError(statement)
    try:
        operator.execute("select agentdb.make_intake_token('past')")
    except Exception as error:
        assert getattr(error, "sqlstate", None) == "ZA004"
    else:
        raise AssertionError("a token")


def test_an_agent_without_a_login_role(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    operator = connect(db.info.dbname, "operator_o")
    operator.execute("select agentdb.register_intake_agent('coder')")
    token = value(operator, "select agentdb.make_intake_token('coder')")
    assert value(intake, "select agentdb.agent_of_intake(%s)", token) == "coder"
    assert statuses(record(intake, event("call", tool="x", agent="coder"))) == [
        "recorded"
    ]
    known = rows(operator, "select agent_name, state from agentdb.agent_health")
    assert [each["agent_name"] for each in known] == ["a", "coder"]
    found = rows(operator, "select * from agentdb.doctor")
    assert [each for each in found if "coder" in json.dumps(each, default=str)] == []
