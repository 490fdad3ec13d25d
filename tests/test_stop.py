"""A stopped run is refused by every function and by every audited table."""

from __future__ import annotations

import psycopg
import pytest

from .agents import (
    age,
    evaluate,
    labels,
    refusal,
    register,
    row,
    rows,
    start,
    value,
    visited,
)
from .conftest import INSTALLER, Connect, Connection

TABLES = """
create schema app;
create table app.customer (customer_id int primary key, name text);
create table app.invoice (
  invoice_id int primary key,
  customer_id int references app.customer on delete cascade,
  amount int
);
insert into app.customer values (1, 'ann'), (2, 'bob');
insert into app.invoice values (1, 1, 10), (2, 2, 20);
create function app.set_amount(a int) returns void language sql security definer
  set search_path = pg_catalog, pg_temp as 'update app.invoice set amount = a';
grant usage on schema app to agent_a, agent_b, app_user;
grant select, insert, update, delete, truncate on all tables in schema app
  to agent_a, agent_b, app_user;
"""


@pytest.fixture
def app(db: Connection, connect: Connect) -> Connection:
    """An application with audited tables; a session of the tables' owner."""
    owner = connect(db.info.dbname, INSTALLER)
    owner.execute(TABLES)
    for table in ("app.customer", "app.invoice"):
        db.execute("select agentdb.audit_table(%s::regclass)", [table])
    return owner


@pytest.fixture
def agent(db: Connection, app: Connection, connect: Connect) -> Connection:
    """The session of an agent with one open run."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


@pytest.fixture
def operator(db: Connection, connect: Connect) -> Connection:
    return connect(db.info.dbname, "operator_o")


def run_of(db: Connection) -> int:
    return int(value(db, "select max(run_id) from agentdb.run"))


CALLS = (
    "agentdb.log_progress('s')",
    "agentdb.log_tool_call('t')",
    "agentdb.begin_tool_call('t')",
    "agentdb.log_tokens(1, 1)",
    "agentdb.reserve_tokens(1)",
    "agentdb.remaining_budget()",
    "agentdb.acquire_lock('l')",
    "agentdb.end_run()",
    "agentdb.hold_run(now() + interval '1 min', 'x')",
    'agentdb.log_progress_many(\'[{"step": "a"}]\')',
    'agentdb.log_events(\'[{"kind": "progress", "step": "a"}]\')',
)
WRITES = (
    "insert into app.invoice values (3, 1, 1)",
    "update app.invoice set amount = 0",
    "delete from app.customer where customer_id = 1",
    "truncate app.invoice",
    "select app.set_amount(7)",
    "merge into app.invoice as i using app.customer as c on false "
    "when not matched then insert values (c.customer_id + 10, 1, 1)",
)


def contents(db: Connection) -> list[dict[str, object]]:
    return rows(db, "select * from app.invoice order by 1")


def test_killed_run_is_refused_by_every_call_and_write(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    run, before = run_of(db), contents(db)
    said = row(operator, "select * from agentdb.kill_run(%s, 'loops')", run)
    assert (said["run_id"], said["agent_name"]) == (run, "a")
    for call in CALLS:
        refused = refusal(agent, f"select {call}")
        assert (refused.sqlstate, refused.message_primary) == (
            "ZA040",
            f"run {run} was killed: loops",
        ), call
        assert "Stop now" in (refused.message_hint or "")
    for write in WRITES:
        if write.startswith("merge") and db.info.server_version < 150000:
            continue
        assert refusal(agent, write).sqlstate == "ZA040", write
    with (
        pytest.raises(psycopg.Error) as failure,
        agent.cursor().copy("copy app.invoice from stdin") as copy,
    ):
        copy.write("9\t1\t9\n")
    assert failure.value.sqlstate == "ZA040"
    assert contents(db) == before
    assert row(
        db, "select outcome, ended_at is not null as ended from agentdb.run"
    ) == {
        "outcome": "killed",
        "ended": True,
    }


def test_kill_frees_what_the_run_held(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    agent.execute("select agentdb.acquire_lock('a')")
    agent.execute("select agentdb.acquire_lock('b')")
    agent.execute("select agentdb.reserve_tokens(100)")
    said = row(operator, "select * from agentdb.kill_run(%s, 'x')", run_of(db))
    assert (said["locks_freed"], said["reservations_cancelled"]) == (2, 1)
    assert rows(db, "select * from agentdb.lock_status where state <> 'free'") == []
    logged = row(db, "select action, reason, stopped_by, details from agentdb.stop_log")
    assert logged == {
        "action": "kill",
        "reason": "x",
        "stopped_by": "operator_o",
        "details": {
            "locks_freed": 2,
            "reservations_cancelled": 1,
            "changes_withdrawn": 0,
        },
    }


def test_timeline_shows_writes_and_the_stop(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    run = run_of(db)
    agent.execute("update app.invoice set amount = 5 where invoice_id = 1")
    operator.execute("select agentdb.kill_run(%s, 'enough')", [run])
    told = rows(operator, "select kind, what from agentdb.timeline(%s)", run)
    assert [(each["kind"], each["what"]) for each in told] == [
        ("start", "run began"),
        ("write", 'update app.invoice {"invoice_id": 1}'),
        ("end", "killed"),
        ("stop", "kill by operator_o: enough"),
    ]


def test_new_run_may_start_after_a_kill_of_the_old(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    operator.execute("select agentdb.kill_run(%s, 'x')", [run_of(db)])
    start(agent)
    agent.execute("select agentdb.log_progress('s')")
    agent.execute("update app.invoice set amount = 5")


def test_killed_agent_starts_nothing_until_resumed(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    second = start(agent)
    killed = rows(operator, "select run_id from agentdb.kill_agent('a', 'runaway')")
    assert len(killed) == 2
    for call in ("agentdb.start_run()", f"agentdb.log_progress('s', run => {second})"):
        assert refusal(agent, f"select {call}").sqlstate == "ZA040"
    assert refusal(agent, WRITES[1]).sqlstate == "ZA040"
    operator.execute("select agentdb.pause_agent('a', 'softer')")
    assert refusal(agent, "select agentdb.start_run()").sqlstate == "ZA040"
    operator.execute("select agentdb.resume_agent('a', 'fixed')")
    start(agent)
    agent.execute(WRITES[1])
    actions = [
        each["action"] for each in rows(db, "select action from agentdb.stop_log")
    ]
    assert actions == ["kill", "kill", "kill", "pause", "resume", "restart"]


def test_paused_agent_waits_and_goes_on(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    operator.execute("select agentdb.pause_agent('a', 'deploy')")
    for call in CALLS:
        assert refusal(agent, f"select {call}").sqlstate == "ZA041", call
    assert refusal(agent, WRITES[1]).sqlstate == "ZA041"
    assert refusal(agent, "select agentdb.start_run()").sqlstate == "ZA041"
    said = row(operator, "select * from agentdb.resume_agent('a', 'deployed')")
    assert said["runs_resumed"] == 1
    agent.execute("select agentdb.log_progress('s')")
    agent.execute(WRITES[1])


def test_kill_all_stops_every_agent(
    db: Connection, connect: Connect, agent: Connection, operator: Connection
) -> None:
    register(db, "b", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    start(other)
    killed = rows(operator, "select agent_name from agentdb.kill_all('fire')")
    assert {each["agent_name"] for each in killed} == {"a", "b"}
    for session in (agent, other):
        assert refusal(session, WRITES[1]).sqlstate == "ZA040"


def test_others_are_not_disturbed(
    db: Connection, connect: Connect, agent: Connection, operator: Connection
) -> None:
    register(db, "b", "agent_b")
    other, person = (
        connect(db.info.dbname, "agent_b"),
        connect(db.info.dbname, "app_user"),
    )
    start(other)
    operator.execute("select agentdb.kill_agent('a', 'x')")
    other.execute("select agentdb.log_progress('s')")
    other.execute(WRITES[1])
    person.execute("update app.invoice set amount = 2")


def test_bound_token_of_a_killed_run_writes_nothing(
    db: Connection, connect: Connect, app: Connection, operator: Connection
) -> None:
    secret = register(db, "p", "agent_b", pooled=True)
    session = connect(db.info.dbname, "agent_b")
    opened = [
        row(
            session,
            "select * from agentdb.start_run(agent => 'p', secret => %s::text)",
            secret,
        )
        for _ in range(2)
    ]
    operator.execute("select agentdb.kill_run(%s, 'x')", [opened[0]["run_id"]])
    for found, sqlstate in zip(opened, ("ZA040", None), strict=True):
        with session.transaction(force_rollback=True):
            if sqlstate:
                assert (
                    refusal(
                        session,
                        "select agentdb.bind_run(%s::text), agentdb.log_progress('s')",
                        found["token"],
                    ).sqlstate
                    == sqlstate
                )
            else:
                session.execute("select agentdb.bind_run(%s::text)", [found["token"]])
                session.execute(WRITES[1])
        with session.transaction(force_rollback=True):
            session.execute("select agentdb.bind_run(%s::text)", [found["token"]])
            if sqlstate:
                assert refusal(session, WRITES[1]).sqlstate == sqlstate


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
@pytest.mark.parametrize("kill", ["kill_run(%s, 'x')", "kill_agent('a', 'x')"])
def test_older_snapshot_does_not_evade_a_kill(
    db: Connection, agent: Connection, operator: Connection, isolation: str, kill: str
) -> None:
    agent.execute(f"begin isolation level {isolation}".encode())
    agent.execute("select count(*) from app.invoice")
    run = run_of(db)
    operator.execute(f"select agentdb.{kill.replace('%s', str(run))}".encode())
    assert refusal(agent, WRITES[1]).sqlstate == "40001"
    agent.execute("rollback")
    agent.execute(f"begin isolation level {isolation}".encode())
    assert refusal(agent, WRITES[1]).sqlstate == "ZA040"
    agent.execute("rollback")


def test_older_snapshot_does_not_evade_through_our_functions(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    agent.execute("begin isolation level repeatable read")
    agent.execute("select agentdb.log_progress('before')")
    operator.execute("select agentdb.kill_run(%s, 'x')", [run_of(db)])
    refused = refusal(agent, "select agentdb.log_progress('after')")
    assert refused.sqlstate == "40001"
    agent.execute("rollback")


def test_rolled_back_kill_wedges_nobody(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    agent.execute("begin isolation level repeatable read")
    agent.execute("select count(*) from app.invoice")
    with operator.transaction(force_rollback=True):
        operator.execute("select agentdb.kill_agent('a', 'x')")
    agent.execute(WRITES[1])
    agent.execute("commit")
    agent.execute("select agentdb.log_progress('s')")
    assert rows(db, "select * from agentdb.stop_log") == []


def test_committed_kill_is_seen_behind_one_that_rolled_back(
    db: Connection, connect: Connect, agent: Connection, operator: Connection
) -> None:
    agent.execute("begin isolation level repeatable read")
    agent.execute("select count(*) from app.invoice")
    operator.execute("select agentdb.kill_run(%s, 'x')", [run_of(db)])
    with operator.transaction(force_rollback=True):
        operator.execute("select agentdb.kill_all('y')")
    assert refusal(agent, WRITES[1]).sqlstate == "40001"
    agent.execute("rollback")


def test_prepared_statement_is_refused_too(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    for _ in range(7):
        agent.execute("update app.invoice set amount = %s", [1], prepare=True)
    operator.execute("select agentdb.kill_run(%s, 'x')", [run_of(db)])
    with pytest.raises(psycopg.Error) as failure:
        agent.execute("update app.invoice set amount = %s", [2], prepare=True)
    assert failure.value.sqlstate == "ZA040"


def test_copy_in_progress_is_refused_at_its_end(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    before = contents(db)
    with (
        pytest.raises(psycopg.Error) as failure,
        agent.cursor().copy("copy app.invoice from stdin") as copy,
    ):
        copy.write("9\t1\t9\n")
        operator.execute("select agentdb.kill_run(%s, 'x')", [run_of(db)])
        copy.write("10\t1\t9\n")
    assert failure.value.sqlstate == "ZA040"
    assert contents(db) == before


def test_write_before_the_kill_may_commit_and_drain_waits_for_it(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    run = run_of(db)
    agent.execute("begin")
    agent.execute("update app.invoice set amount = 77")
    operator.execute("select agentdb.kill_run(%s, 'x')", [run])
    assert not value(
        operator, "select drained from agentdb.drain_run(%s, '50 ms')", run
    )
    assert refusal(agent, "update app.invoice set amount = 78").sqlstate == "ZA040"
    agent.execute("rollback")
    assert value(operator, "select drained from agentdb.drain_run(%s)", run)
    assert 77 not in [each["amount"] for each in contents(db)]


def test_cascade_into_an_audited_table_is_refused(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    db.execute("select agentdb.unaudit_table('app.customer'::regclass)")
    operator.execute("select agentdb.kill_run(%s, 'x')", [run_of(db)])
    refused = refusal(agent, "delete from app.customer where customer_id = 1")
    assert refused.sqlstate == "ZA040"


def test_locks_of_the_agent_do_not_delay_a_kill(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    run = run_of(db)
    with agent.transaction(force_rollback=True):
        agent.execute("update app.invoice set amount = 1")
        agent.execute("select agentdb.acquire_lock('l')")
        agent.execute("select agentdb.end_run()")
        operator.execute("set lock_timeout = '1s'")
        operator.execute("select agentdb.kill_run(%s, 'x')", [run])
        waiting = row(operator, "select * from agentdb.drain_run(%s, '50 ms')", run)
        assert waiting["drained"] is False
        assert refusal(agent, "select agentdb.log_progress('s')").sqlstate == "ZA040"
    drained = row(operator, "select * from agentdb.drain_run(%s)", run)
    assert drained["drained"] is True
    assert value(db, "select outcome from agentdb.run") == "killed"


def test_two_operators_kill_the_same_run(
    db: Connection, connect: Connect, agent: Connection, operator: Connection
) -> None:
    run, second = run_of(db), connect(db.info.dbname, "operator_o")
    operator.execute("select agentdb.kill_run(%s, 'first')", [run])
    second.execute("select agentdb.kill_run(%s, 'second')", [run])
    assert value(db, "select reason from agentdb.run_stop") == "first"
    assert value(db, "select count(*) from agentdb.stop_log") == 2


def test_sessions_are_ended_where_they_may_be(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    run = run_of(db)
    operator.execute("select agentdb.kill_run(%s, 'x')", [run])
    said = rows(operator, "select * from agentdb.end_sessions(%s)", run)
    assert [(each["pid"], each["ended"]) for each in said] == [
        (agent.info.backend_pid, False)
    ]
    assert "pg_signal_backend" in said[0]["problem"]
    ended = rows(db, "select * from agentdb.end_sessions(%s)", run)
    assert [each["ended"] for each in ended] == [True]
    with pytest.raises(psycopg.OperationalError):
        agent.execute("select 1")


def test_session_of_another_run_that_is_paused_is_not_ended(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    run, other = run_of(db), connect(db.info.dbname, "agent_a")
    second = start(other)
    db.execute("select agentdb.pause_agent('a', 'look')")
    db.execute("select agentdb.kill_run(%s, 'x')", [run])
    ended = rows(db, "select * from agentdb.end_sessions(%s)", run)
    assert [each["pid"] for each in ended] == [agent.info.backend_pid]
    db.execute("select agentdb.resume_agent('a', 'seen')")
    step = "select run_id from agentdb.log_progress('goes on')"
    assert other.execute(step).fetchone() == (second,)


@pytest.mark.parametrize("user", ["agent_a", "auditor_u", "reviewer_r", "app_user"])
def test_only_operators_stop(db: Connection, connect: Connect, user: str) -> None:
    session = connect(db.info.dbname, user)
    for call in (
        "kill_run(1, 'x')",
        "kill_agent('a', 'x')",
        "kill_all('x')",
        "pause_agent('a', 'x')",
        "resume_agent('a', 'x')",
        "drain_run(1)",
        "drain_agent('a')",
        "reap_transactions()",
    ):
        assert refusal(session, f"select agentdb.{call}").sqlstate == "42501"


@pytest.mark.parametrize("reason", [None, "", " \n"])
def test_stop_wants_a_reason(
    db: Connection, agent: Connection, reason: str | None
) -> None:
    for call in (
        "kill_run(1, %s::text)",
        "kill_agent('a', %s::text)",
        "kill_all(%s::text)",
    ):
        assert refusal(db, f"select agentdb.{call}", reason).sqlstate == "ZA004"


def test_what_is_not_there_is_told(db: Connection, agent: Connection) -> None:
    assert refusal(db, "select agentdb.kill_run(999, 'x')").sqlstate == "ZA006"
    assert refusal(db, "select agentdb.kill_agent('nobody', 'x')").sqlstate == "ZA006"
    agent.execute("select agentdb.end_run()")
    ended = refusal(db, "select agentdb.kill_run(%s, 'x')", run_of(db))
    assert ended.sqlstate == "ZA003"


def test_rule_may_kill_the_run_it_names(db: Connection, agent: Connection) -> None:
    db.execute(
        "update agentdb.alert_rule set action = 'kill', next_evaluation_at = now() "
        "where rule_name = 'silent_loop'"
    )
    db.execute("update agentdb.alert_rule set enabled = rule_name = 'silent_loop'")
    agent.execute("select agentdb.log_tool_call('t') from generate_series(1, 6)")
    evaluate(db)
    refused = refusal(agent, "select agentdb.log_progress('s')")
    assert refused.sqlstate == "ZA040"
    assert "silent_loop" in (refused.message_primary or "")
    drained = rows(db, "select drained from agentdb.drain_stopped()")
    assert drained == [{"drained": True}]
    assert rows(db, "select drained from agentdb.drain_stopped()") == []
    evaluate(db)


def test_rule_may_pause_the_agent_it_names(db: Connection, agent: Connection) -> None:
    db.execute(
        "update agentdb.alert_rule set action = 'block' where rule_name = 'token_rate'"
    )
    db.execute("update agentdb.alert_rule set enabled = rule_name = 'token_rate'")
    agent.execute("select agentdb.log_tokens(5000000, 1)")
    evaluate(db)
    assert refusal(agent, "select agentdb.log_progress('s')").sqlstate == "ZA041"


def test_rules_only_tell_people_unless_they_are_asked_to_act(db: Connection) -> None:
    actions = rows(db, "select distinct action from agentdb.alert_rule")
    assert actions == [{"action": "notify"}]


def test_paused_and_held_runs_are_not_stuck(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    age(db, "run", "started_at", "20 minutes")
    assert len(labels(db, "no_progress")) == 1
    agent.execute("select agentdb.hold_run(now() + interval '10 min', 'CI runs')")
    assert labels(db, "no_progress") == []
    age(db, "run", "held_until_at", "11 minutes")
    assert labels(db, "no_progress") == []
    age(db, "run", "held_until_at", "15 minutes")
    assert len(labels(db, "no_progress")) == 1
    operator.execute("select agentdb.pause_agent('a', 'x')")
    assert labels(db, "no_progress") == []


def test_overdue_hold_is_told_until_the_run_goes_on(
    db: Connection, agent: Connection
) -> None:
    run = run_of(db)
    agent.execute("select agentdb.hold_run(now() + interval '1 min', 'CI runs')")
    age(db, "run", "started_at", "5 minutes")
    age(db, "run", "held_until_at", "2 minutes")
    assert labels(db, "overdue_hold") == [{"agent": "a", "run": str(run)}]
    agent.execute("select agentdb.log_progress('goes on')")
    assert labels(db, "overdue_hold") == []


@pytest.mark.parametrize("until", ["-1 s", "0", "4 hours 1 minute", "infinity"])
def test_hold_is_bounded(agent: Connection, until: str) -> None:
    moment = "'infinity'" if until == "infinity" else f"now() + interval '{until}'"
    refused = refusal(agent, f"select agentdb.hold_run({moment}, 'x')")
    assert refused.sqlstate == "ZA004"


def test_old_transaction_of_an_agent_is_ended_and_logged(
    db: Connection, connect: Connect, agent: Connection, operator: Connection
) -> None:
    db.execute("update agentdb.policy set max_transaction = '1 second'")
    other = connect(db.info.dbname, "app_user")
    for session in (agent, other):
        session.execute("begin")
        session.execute("select count(*) from app.invoice")
    db.execute("select pg_sleep(1.1)")
    reaped = rows(db, "select * from agentdb.reap_transactions()")
    assert [(each["pid"], each["ended"]) for each in reaped] == [
        (agent.info.backend_pid, True)
    ]
    with pytest.raises(psycopg.OperationalError):
        agent.execute("select 1")
    other.execute("commit")
    logged = row(db, "select action, details from agentdb.stop_log")
    assert logged["action"] == "reap"
    assert logged["details"]["role"] == "agent_a"


def test_stop_log_cannot_be_rewritten(db: Connection, agent: Connection) -> None:
    db.execute("select agentdb.kill_agent('a', 'x')")
    for statement in (
        "delete from agentdb.stop_log",
        "update agentdb.stop_log set reason = 'y'",
        "truncate agentdb.stop_log",
    ):
        assert refusal(db, statement).sqlstate == "ZA008"


@pytest.mark.parametrize(("stop", "state"), [("kill", "ZA040"), ("pause", "ZA041")])
def test_run_that_is_being_started_does_not_escape(
    agent: Connection, operator: Connection, stop: str, state: str
) -> None:
    agent.execute("begin")
    second = start(agent)
    operator.execute(f"select agentdb.{stop}_agent('a', 'x')".encode())
    assert refusal(agent, f"savepoint s; {WRITES[1]}").sqlstate == state
    agent.execute("rollback to s")
    agent.execute("commit")
    for call in ("log_progress('s', run => {})", "acquire_lock('l', run => {})"):
        refused = refusal(agent, f"select agentdb.{call.format(second)}")
        assert refused.sqlstate == state, call
    assert refusal(agent, WRITES[1]).sqlstate == state


def test_lone_run_that_was_being_started_gets_no_lock(
    agent: Connection, operator: Connection
) -> None:
    agent.execute("select agentdb.end_run()")
    agent.execute("begin")
    start(agent)
    operator.execute("select agentdb.kill_agent('a', 'x')")
    agent.execute("commit")
    for call in ("acquire_lock('l')", "renew_lock('l', 1)", "release_lock('l', 1)"):
        assert refusal(agent, f"select agentdb.{call}").sqlstate == "ZA040", call


def test_kill_waits_for_what_a_starting_run_wrote(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    first = run_of(db)
    drain = "select drained from agentdb.drain_run(%s, '100 ms')"
    agent.execute("select agentdb.end_run()")
    agent.execute("begin")
    start(agent)
    agent.execute(WRITES[0])
    operator.execute("select agentdb.kill_agent('a', 'x')")
    assert value(operator, drain, first) is False
    agent.execute("commit")
    assert value(operator, drain, first) is True


def test_kill_of_an_agent_waits_for_what_it_wrote_outside_any_run(
    agent: Connection, operator: Connection
) -> None:
    drain = "select drained from agentdb.drain_agent(%s, '100 ms')"
    agent.execute("select agentdb.end_run()")
    agent.execute("begin")
    agent.execute(WRITES[0])
    operator.execute("select agentdb.kill_agent('a', 'x')")
    assert value(operator, drain, "a") is False
    assert value(operator, drain, None) is False
    agent.execute("commit")
    assert value(operator, drain, "a") is True
    assert refusal(agent, WRITES[1]).sqlstate == "ZA040"
    assert refusal(operator, drain.replace("100 ms", "-1 s"), "a").sqlstate == "ZA004"


def test_paused_run_is_neither_abandoned_nor_late_nor_stuck_when_it_is_resumed(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    agent.execute("select agentdb.end_run()")
    run = start(agent, tick_interval="10 min")
    agent.execute("select agentdb.begin_tool_call('t', call_id => 'c')")
    agent.execute("select agentdb.hold_run(now() + interval '1 min', 'CI')")
    operator.execute("select agentdb.pause_agent('a', 'weekend')")
    for column in ("started_at", "held_until_at"):
        age(db, "run", column, "2 days")
    age(db, "tool_call", "began_at", "2 days")
    rules = ("no_progress", "missed_tick", "overdue_hold", "hung_tool_call")
    assert [labels(db, rule) for rule in rules] == [[], [], [], []]
    operator.execute("select agentdb.maintain()")
    operator.execute("select agentdb.resume_agent('a', 'monday')")
    operator.execute("select agentdb.maintain()")
    assert [labels(db, rule) for rule in rules[:3]] == [[], [], []]
    agent.execute("select agentdb.log_progress('s')")
    age(db, "run", "held_until_at", "20 minutes")
    age(db, "progress_log", "recorded_at", "20 minutes")
    who = {"agent": "a", "run": str(run)}
    assert labels(db, "no_progress") == [who]
    assert labels(db, "missed_tick") == [{"agent": "a"}]


def test_resumed_agent_without_a_run_is_late_from_then_on(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    agent.execute("select agentdb.end_run()")
    start(agent, tick_interval="10 min")
    agent.execute("select agentdb.end_run()")
    age(db, "run", "started_at", "2 days")
    operator.execute("select agentdb.pause_agent('a', 'weekend')")
    operator.execute("select agentdb.resume_agent('a', 'monday')")
    assert labels(db, "missed_tick") == []
    age(db, "run", "held_until_at", "2 minutes")
    assert labels(db, "missed_tick") == [{"agent": "a"}]


def test_hold_excuses_a_tick_until_the_run_ends(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.end_run()")
    start(agent, tick_interval="10 min")
    agent.execute("select agentdb.hold_run(now() + interval '2 hours', 'CI')")
    age(db, "run", "started_at", "1 hour")
    assert labels(db, "missed_tick") == []
    agent.execute("select agentdb.end_run()")
    age(db, "run", "held_until_at", "2 minutes")
    assert labels(db, "missed_tick") == [{"agent": "a"}]


def test_hold_that_is_just_over_is_not_overdue_yet(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.hold_run(now() + interval '1 min', 'CI runs')")
    age(db, "run", "started_at", "5 minutes")
    age(db, "run", "held_until_at", "90 seconds")
    assert labels(db, "overdue_hold") == []


def test_overdue_hold_costs_the_same_however_much_was_logged(
    db: Connection, agent: Connection
) -> None:
    steps = "jsonb_agg(jsonb_build_object('step', i::text))"
    series = "generate_series(1, 3000) as i"
    agent.execute(
        f"select agentdb.log_progress_many((select {steps} from {series}))".encode()
    )
    agent.execute("select agentdb.hold_run(now() + interval '1 min', 'CI')")
    age(db, "run", "held_until_at", "3 minutes")
    db.execute(
        "insert into agentdb.tool_call (run_id, call_id, agent_id, tool, ended_at)"
        " select run_id, 'c' || i, agent_id, 't', now()"
        " from agentdb.run, generate_series(1, 3000) as i"
    )
    db.execute("analyze")
    assert visited(db, "select * from agentdb.overdue_hold") < 500


def test_hint_of_a_run_that_has_ended_works_when_pasted(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    agent.execute("select agentdb.end_run()")
    refused = refusal(operator, "select agentdb.kill_run(%s, 'it''s mad')", run_of(db))
    assert refused.sqlstate == "ZA003"
    operator.execute((refused.message_hint or "").split(": ", 1)[1].encode())
    assert refusal(agent, "select agentdb.start_run()").sqlstate == "ZA040"


def test_hint_of_a_hold_works_when_pasted(agent: Connection) -> None:
    refused = refusal(agent, "select agentdb.hold_run('infinity', 'x')")
    agent.execute((refused.message_hint or "").split(": ", 1)[1].encode())


def test_writer_in_another_database_is_ended_too(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    db.execute("update agentdb.policy set max_transaction = '1 second'")
    reader, writer = connect("postgres", "agent_a"), connect("postgres", "agent_a")
    for session in (reader, writer):
        session.execute("begin")
    reader.execute("select count(*) from pg_class")
    writer.execute("select pg_current_xact_id()")
    db.execute("select pg_sleep(1.1)")
    reaped = rows(db, "select * from agentdb.reap_transactions()")
    assert [each["pid"] for each in reaped] == [writer.info.backend_pid]
    with pytest.raises(psycopg.OperationalError):
        writer.execute("select 1")
