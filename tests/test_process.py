"""A run is its process: sessions say whose a call is, and whether a run still lives."""

from __future__ import annotations

from itertools import product
from threading import Thread
from typing import TYPE_CHECKING

import psycopg
import pytest

from .agents import refusal, register, row, rows, start, value
from .scene import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Connect, Connection

    Join = Callable[[], Connection]

LOG = "select run_id from agentdb.log_progress('step')"
WRITE = "update public.invoice set paid = not paid where invoice_id = 1"
WRITER = "select run_id from agentdb.audit order by audit_log_id desc limit 1"
OUTCOME = "select outcome from agentdb.run where run_id = %s"
# One of each kind of thing that a run is looked up for.
CALLS = (
    "select agentdb.log_progress('s')",
    'select agentdb.log_progress_many(\'[{"step": "s"}]\')',
    "select agentdb.log_tool_call('t')",
    "select agentdb.begin_tool_call('t')",
    "select agentdb.log_tokens(1, 1)",
    "select agentdb.reserve_tokens(10)",
    "select agentdb.remaining_budget()",
    "select agentdb.acquire_lock('l')",
    "select agentdb.acquire_slot('s', 2)",
    "select agentdb.hold_run(clock_timestamp() + interval '1 minute', 'why')",
    "select agentdb.ask_human('what?')",
    "select agentdb.spawn_token()",
    "select agentdb.claim_rows('public.invoice', 'update', keys => '[1]')",
    "select agentdb.end_run()",
    "select agentdb.complete_run()",
    "select agentdb.open_change('why')",
    WRITE,
)


@pytest.fixture
def audited(db: Connection) -> Connection:
    """A database with an audited table, and an agent."""
    register(db)
    db.execute("create table invoice (invoice_id int primary key, paid boolean)")
    db.execute("insert into invoice values (1, false)")
    db.execute("grant select, update on invoice to agent_a, agent_pool")
    db.execute("select agentdb.audit_table('invoice')")
    return db


@pytest.fixture
def join(audited: Connection, connect: Connect) -> Join:
    """Open another session of the agent."""
    return lambda: connect(audited.info.dbname, "agent_a")


def leave(db: Connection, session: Connection) -> None:
    """End a session as a process that dies does, and wait until the server knows."""
    pid = session.info.backend_pid
    session.close()
    gone = "select not exists (select from pg_stat_activity where pid = %s)"
    until(lambda: value(db, gone, pid))


def kill(db: Connection, run: int) -> None:
    db.execute("select agentdb.kill_run(%s, 'loops')", [run])
    assert all(each["drained"] for each in rows(db, DRAIN, run))


DRAIN = "select * from agentdb.drain_run(%s)"
WAITS = "select wait_event_type = 'Lock' from pg_stat_get_activity(%s)"


def silence(db: Connection, span: str) -> None:
    db.execute("update agentdb.policy set run_silence = %s::interval", [span])


def test_restarted_process_goes_on_in_a_run_of_its_own(
    audited: Connection, join: Join
) -> None:
    first = join()
    dead = start(first)
    leave(audited, first)
    second = join()
    opened = row(second, "select * from agentdb.start_run()")
    assert opened["closed_runs"] == [dead]
    for call in CALLS[:12]:
        second.execute(call.encode())
    second.execute(WRITE)
    assert value(audited, WRITER) == opened["run_id"]
    ended = row(audited, "select * from agentdb.run where run_id = %s", dead)
    assert ended["outcome"] == "crashed"
    assert "its session is gone" in ended["end_reason"]


def test_connections_of_a_restarted_process_belong_to_its_run(
    audited: Connection, join: Join
) -> None:
    first = join()
    start(first)
    leave(audited, first)
    pool = [join() for _ in range(3)]
    run = start(pool[0])
    for session in pool:
        assert value(session, LOG) == run
        session.execute(WRITE)
        assert value(audited, WRITER) == run


def test_run_lives_while_a_connection_of_its_pool_is_older_than_its_last_word(
    audited: Connection, join: Join
) -> None:
    opener, other = join(), join()
    run = start(opener)
    assert value(other, LOG) == run
    leave(audited, opener)
    newcomer = join()
    assert row(newcomer, "select * from agentdb.start_run()")["closed_runs"] == []
    assert value(audited, OUTCOME, run) is None


def test_two_live_processes_stay_two_runs(audited: Connection, join: Join) -> None:
    sessions = [join(), join()]
    runs = [start(session) for session in sessions]
    for session, run in zip(sessions, runs, strict=True):
        assert value(session, LOG) == run
        session.execute(WRITE)
        assert value(audited, WRITER) == run


def test_refusal_names_both_runs_their_sessions_and_the_call(
    audited: Connection, join: Join
) -> None:
    sessions = [join(), join()]
    runs = [start(sessions[0], instance="host-3"), start(sessions[1])]
    for call in (*CALLS, WRITE):
        refused = refusal(join(), call)
        assert refused.sqlstate == "ZA001", call
        for session, run in zip(sessions, runs, strict=True):
            assert f"Run {run}" in str(refused.message_detail)
            assert f"process {session.info.backend_pid}" in str(refused.message_detail)
            assert " ago; sessions: " in str(refused.message_detail)
        assert "of instance host-3" in str(refused.message_detail)
        assert "bind_run(token)" in str(refused.message_hint)


def test_bound_session_keeps_the_run_after_its_transaction(
    audited: Connection, join: Join
) -> None:
    opener = join()
    opened = row(opener, "select * from agentdb.start_run()")
    start(join())
    lost = join()
    lost.execute("select agentdb.bind_run(%s)", [opened["token"]])
    assert value(lost, LOG) == opened["run_id"]
    leave(audited, opener)
    assert row(join(), "select * from agentdb.start_run()")["closed_runs"] == []


def test_binding_another_run_for_a_transaction_changes_nothing_after_it(
    audited: Connection, join: Join
) -> None:
    mine, other = join(), join()
    run = start(mine)
    opened = row(other, "select * from agentdb.start_run()")
    with mine.transaction():
        mine.execute("select agentdb.bind_run(%s)", [opened["token"]])
        assert value(mine, LOG) == opened["run_id"]
    assert value(mine, LOG) == run


@pytest.mark.parametrize("forget", ["discard all", "reset all"])
def test_session_that_forgot_its_run_is_taken_for_none(
    audited: Connection, join: Join, forget: str
) -> None:
    mine = join()
    start(mine)
    start(join())
    mine.execute(forget.encode())
    assert refusal(mine, LOG).sqlstate == "ZA001"


def test_session_that_a_pooler_gave_to_the_next_client_is_not_the_former_one(
    audited: Connection, join: Join
) -> None:
    session = join()
    former = start(session)
    session.execute("discard all")
    opened = row(session, "select * from agentdb.start_run()")
    assert opened["closed_runs"] == [former]
    assert value(session, LOG) == opened["run_id"]


def test_token_set_by_hand_is_not_believed(audited: Connection, join: Join) -> None:
    token = value(join(), "select token from agentdb.start_run()")
    start(join())
    forger = join()
    forger.execute("select set_config('agentdb.session_token', %s, false)", [token])
    assert refusal(forger, LOG).sqlstate == "ZA001"


def test_second_run_of_a_session_hides_the_first_until_it_ends(
    audited: Connection, join: Join
) -> None:
    session = join()
    outer, inner = start(session), start(session)
    assert value(session, LOG) == inner
    session.execute("select agentdb.end_run()")
    assert value(session, LOG) == outer


def test_connection_whose_run_has_ended_follows_the_process_to_the_next(
    audited: Connection, join: Join
) -> None:
    one, other = join(), join()
    start(one)
    one.execute("select agentdb.end_run()")
    run = start(other)
    assert value(one, LOG) == run


def test_run_beside_another_is_not_given_to_strangers_after_that_ended(
    audited: Connection, join: Join
) -> None:
    mine, other = join(), join()
    run = start(mine)
    start(other)
    other.execute("select agentdb.end_run()")
    for session in (other, join()):
        assert refusal(session, LOG).sqlstate == "ZA001"
        assert refusal(session, WRITE).sqlstate == "ZA001"
    assert value(mine, LOG) == run
    silence(audited, "1 second")
    late = join()
    until(lambda: accepted(late, LOG))
    assert value(late, LOG) == run


def accepted(session: Connection, call: str) -> bool:
    try:
        session.execute(call.encode())
    except psycopg.Error:
        return False
    return True


def test_new_process_of_an_instance_replaces_the_old(
    audited: Connection, join: Join
) -> None:
    old, other, new = join(), join(), join()
    replaced = start(old, instance="host-3")
    stays = start(other, instance="host-4")
    opened = row(new, "select * from agentdb.start_run(instance => 'host-3')")
    assert opened["closed_runs"] == [replaced]
    assert value(audited, OUTCOME, replaced) == "replaced"
    assert value(audited, OUTCOME, stays) is None
    for call in (LOG, WRITE):
        assert refusal(old, call).sqlstate == "ZA003"
    assert value(new, LOG) == opened["run_id"]
    assert value(other, LOG) == stays


def test_dead_process_of_an_instance_has_crashed(
    audited: Connection, join: Join
) -> None:
    old = join()
    run = start(old, instance="host-3")
    leave(audited, old)
    start(join(), instance="host-3")
    assert value(audited, OUTCOME, run) == "crashed"


def test_replaced_process_of_a_shared_role_writes_nothing_more(
    audited: Connection, connect: Connect
) -> None:
    agent = pooled(audited, "p")
    old, new = (connect(audited.info.dbname, "agent_pool") for _ in range(2))
    opening = f"{OPEN[:-1]}, instance => 'host-3')"
    replaced = row(old, opening, *agent)
    with pytest.raises(psycopg.Error) as raised, old.transaction():
        old.execute("select agentdb.bind_run(%s)", [replaced["token"]])
        old.execute(WRITE)
        assert row(new, opening, *agent)["closed_runs"] == [replaced["run_id"]]
        old.execute(WRITE)
    assert raised.value.sqlstate == "ZA003"
    for call in (LOG, WRITE):
        with pytest.raises(psycopg.Error) as raised, old.transaction():
            old.execute("select agentdb.bind_run(%s)", [replaced["token"]])
            old.execute(call)
        assert raised.value.sqlstate == "ZA003"
    assert rows(audited, "select * from agentdb.audit") == []


def look(db: Connection, query: str, *values: object) -> object:
    """Return a value of what is seen now, within a transaction too."""
    db.execute("select pg_stat_clear_snapshot()")
    return value(db, query, *values)


def test_call_that_waited_for_its_run_says_that_it_was_killed(
    audited: Connection, join: Join
) -> None:
    victim = join()
    run = start(victim)
    said: list[str | None] = []
    ending = Thread(
        target=lambda: said.append(refusal(victim, "select agentdb.end_run()").sqlstate)
    )
    with audited.transaction():
        audited.execute("select agentdb.kill_run(%s, 'loops')", [run])
        ending.start()
        until(lambda: look(audited, WAITS, victim.info.backend_pid))
    ending.join()
    assert said == ["ZA040"]


@pytest.mark.parametrize("name", ["", "a\nb", "\u202e", "x" * 201])
def test_name_of_an_instance_is_checked(join: Join, name: str) -> None:
    refused = refusal(join(), "select agentdb.start_run(instance => %s)", name)
    assert refused.sqlstate == "ZA004"


def test_look_within_a_long_transaction_is_not_an_old_one(
    audited: Connection, join: Join
) -> None:
    patient, other = join(), join()
    with patient.transaction():
        patient.execute("select count(*) from pg_stat_activity")
        newcomer = join()
        run = start(newcomer)
        opened = row(patient, "select * from agentdb.start_run()")
        assert opened["closed_runs"] == []
    assert value(audited, OUTCOME, run) is None
    assert refusal(other, LOG).sqlstate == "ZA001"


def test_killed_session_is_refused_everything(audited: Connection, join: Join) -> None:
    victim, sibling = join(), join()
    run, other = start(victim), start(sibling)
    kill(audited, run)
    for call in CALLS:
        assert refusal(victim, call).sqlstate == "ZA040", call
    named = f"select agentdb.log_progress('s', run => {other})"
    assert refusal(victim, named).sqlstate == "ZA040"
    assert value(sibling, LOG) == other
    sibling.execute(WRITE)
    assert value(audited, WRITER) == other


@pytest.mark.parametrize("passed", [False, True])
def test_killed_session_cannot_go_on_as_a_run_that_it_had_before(
    audited: Connection, join: Join, passed: bool
) -> None:
    victim, sibling = join(), join()
    run = start(victim)
    opened = row(sibling, "select * from agentdb.start_run()")
    victim.execute("select agentdb.bind_run(%s)", [opened["token"]])
    kill(audited, run)
    if passed:
        audited.execute("select agentdb.roll_up()")
    token = "select set_config('agentdb.session_token', %s, false)"
    victim.execute(token.encode(), [opened["token"]])
    for call in (LOG, WRITE):
        assert refusal(victim, call).sqlstate == "ZA040"
    with pytest.raises(psycopg.Error) as raised, victim.transaction():
        victim.execute("select agentdb.bind_run(%s)", [opened["token"]])
        victim.execute(LOG)
    assert raised.value.sqlstate == "ZA040"


@pytest.mark.parametrize("passed", [False, True])
def test_two_runs_of_one_session_are_killed_as_one(
    audited: Connection, join: Join, passed: bool
) -> None:
    victim = join()
    first, second = start(victim), start(victim)
    kill(audited, first)
    if passed:
        audited.execute("select agentdb.roll_up()")
    for call in (LOG, WRITE, f"select agentdb.log_progress('s', run => {second})"):
        assert refusal(victim, call).sqlstate == "ZA040"


@pytest.mark.parametrize("forget", ["discard all", "reset all"])
def test_killed_session_that_forgets_its_run_stays_killed(
    audited: Connection, join: Join, forget: str
) -> None:
    victim = join()
    run = start(victim)
    start(join())
    kill(audited, run)
    victim.execute(forget.encode())
    for call in (LOG, WRITE):
        assert refusal(victim, call).sqlstate == "ZA040"


def test_session_that_was_there_at_a_kill_could_be_the_killed_one(
    audited: Connection, join: Join
) -> None:
    victim, sibling, bystander = join(), join(), join()
    run = start(victim)
    opened = row(sibling, "select * from agentdb.start_run()")
    kill(audited, run)
    for call in (
        *CALLS,
        f"select agentdb.log_progress('s', run => {opened['run_id']})",
    ):
        assert refusal(bystander, call).sqlstate == "ZA040", call
    bystander.execute("select agentdb.bind_run(%s)", [opened["token"]])
    assert value(bystander, LOG) == opened["run_id"]


def test_new_connection_after_a_kill_must_say_whose_it_is(
    audited: Connection, join: Join
) -> None:
    victim, sibling = join(), join()
    run, other = start(victim), start(sibling)
    kill(audited, run)
    for call in (LOG, WRITE):
        refused = refusal(join(), call)
        assert refused.sqlstate == "ZA001"
        assert "start_run()" in str(refused.message_hint)
    silence(audited, "1 second")
    late = join()
    until(lambda: accepted(late, LOG))
    assert value(late, LOG) == other
    assert refusal(victim, LOG).sqlstate == "ZA040"


def test_run_after_a_kill_is_no_strangers_while_an_older_session_is_there(
    audited: Connection, join: Join
) -> None:
    victim, bystander = join(), join()
    kill(audited, start(victim))
    silence(audited, "1 second")
    run = start(join())
    audited.execute("select agentdb.roll_up()")
    assert refusal(bystander, LOG).sqlstate == "ZA040"
    assert refusal(victim, LOG).sqlstate == "ZA040"
    late = join()
    until(lambda: accepted(late, LOG))
    assert value(late, LOG) == run


def test_killed_process_may_begin_new_work_and_it_is_written_down(
    audited: Connection, join: Join
) -> None:
    victim = join()
    run = start(victim)
    kill(audited, run)
    fresh = start(victim)
    assert value(victim, LOG) == fresh
    victim.execute(WRITE)
    assert value(audited, WRITER) == fresh
    noted = row(audited, "select * from agentdb.stop_log where action = 'restart'")
    assert noted["run_id"] == run
    assert noted["details"]["pid"] == victim.info.backend_pid


def test_other_connections_of_a_killed_process_come_to_its_new_work_by_its_token(
    audited: Connection, join: Join
) -> None:
    victim, second = join(), join()
    opened = row(victim, "select * from agentdb.start_run()")
    second.execute("select agentdb.bind_run(%s)", [opened["token"]])
    kill(audited, opened["run_id"])
    fresh = row(victim, "select * from agentdb.start_run()")
    assert refusal(second, LOG).sqlstate == "ZA040"
    second.execute("select agentdb.bind_run(%s)", [fresh["token"]])
    assert value(second, LOG) == fresh["run_id"]


def test_no_new_work_within_the_transaction_that_was_killed(
    audited: Connection, join: Join
) -> None:
    victim = join()
    run = start(victim)
    victim.execute("begin")
    victim.execute("select 1")
    audited.execute("select agentdb.kill_run(%s, 'loops')", [run])
    assert refusal(victim, "select agentdb.start_run()").sqlstate == "ZA040"
    victim.execute("rollback")
    start(victim)


def test_policy_can_forbid_new_work_after_a_kill(
    audited: Connection, join: Join
) -> None:
    audited.execute("update agentdb.policy set kill_forbids_restart = true")
    victim = join()
    kill(audited, start(victim))
    assert refusal(victim, "select agentdb.start_run()").sqlstate == "ZA040"
    start(join())


def test_killed_agent_starts_nothing_until_it_is_resumed(
    audited: Connection, join: Join
) -> None:
    victim = join()
    start(victim)
    audited.execute("select agentdb.kill_agent('a', 'loops')")
    for session in (victim, join()):
        assert refusal(session, "select agentdb.start_run()").sqlstate == "ZA040"
        assert refusal(session, WRITE).sqlstate == "ZA040"
    audited.execute("select agentdb.resume_agent('a', 'fixed')")
    start(victim)


def test_without_the_right_to_see_starts_a_session_is_refused_in_doubt(
    audited: Connection, join: Join
) -> None:
    audited.execute("revoke pg_read_all_stats from agentdb_owner")
    try:
        victim, sibling = join(), join()
        run, other = start(victim), start(sibling)
        kill(audited, run)
        assert refusal(victim, WRITE).sqlstate == "ZA040"
        assert refusal(join(), WRITE).sqlstate == "ZA040"
        assert value(sibling, LOG) == other
        leave(audited, sibling)
        assert row(join(), "select * from agentdb.start_run()")["closed_runs"] == []
        finding = "select detail from agentdb.doctor where check_name = 'sessions'"
        assert "may not see when a session began" in value(audited, finding)
    finally:
        audited.execute("grant pg_read_all_stats to agentdb_owner")


LONG_UP = """
create or replace function agentdb._server_up_at () returns timestamptz
  language sql stable return pg_postmaster_start_time() - interval '1 hour'
"""


@pytest.mark.parametrize(
    ("promised", "ends"), [("tick_interval => '5 min'", True), ("", False)]
)
def test_runner_ends_what_is_gone_and_was_waited_for(
    audited: Connection, join: Join, promised: str, ends: bool
) -> None:
    process, living = join(), join()
    run = value(process, f"select run_id from agentdb.start_run({promised})")
    stays = start(living)
    leave(audited, process)
    assert rows(audited, "select * from agentdb.close_gone_runs()") == []
    audited.execute(LONG_UP)
    for table, column in (("run", "started_at"), ("run_session", "joined_at")):
        past = f"update agentdb.{table} set {column} = {column} - interval '2 minutes'"
        audited.execute(past.encode())
    closed = [each["run_id"] for each in rows(audited, CLOSE)]
    assert closed == ([run] if ends else [])
    assert value(audited, OUTCOME, stays) is None


CLOSE = "select * from agentdb.close_gone_runs()"


def pooled(db: Connection, name: str) -> tuple[str, str]:
    """Register an agent behind the shared role; return its name and secret."""
    return name, register(db, name, "agent_pool", pooled=True)


OPEN = "select * from agentdb.start_run(agent => %s, secret => %s)"


def test_unbound_session_of_a_shared_role_writes_nothing(
    audited: Connection, connect: Connect
) -> None:
    agent = pooled(audited, "p")
    session = connect(audited.info.dbname, "agent_pool")
    opened = row(session, OPEN, *agent)
    refused = refusal(session, WRITE)
    assert refused.sqlstate == "ZA001"
    assert "bind_run(token)" in str(refused.message_hint)
    with session.transaction():
        session.execute("select agentdb.bind_run(%s)", [opened["token"]])
        session.execute(WRITE)
    assert value(audited, WRITER) == opened["run_id"]
    assert refusal(session, WRITE).sqlstate == "ZA001"


def test_policy_can_have_unbound_writes_recorded(
    audited: Connection, connect: Connect
) -> None:
    agent = pooled(audited, "p")
    pooled(audited, "q")
    audited.execute("update agentdb.policy set unbound_writes = 'record'")
    session = connect(audited.info.dbname, "agent_pool")
    row(session, OPEN, *agent)
    session.execute(WRITE)
    assert value(audited, WRITER) is None
    finding = (
        "select detail from agentdb.doctor where check_name = 'writes of agent_pool'"
    )
    assert "p, q" in value(audited, finding)


@pytest.mark.parametrize("stop", ["kill_run(1, 'x')", "kill_agent('p', 'x')"])
def test_killed_pooled_agent_does_not_go_on_without_its_token(
    audited: Connection, connect: Connect, stop: str
) -> None:
    agent = pooled(audited, "p")
    audited.execute("update agentdb.policy set unbound_writes = 'record'")
    session = connect(audited.info.dbname, "agent_pool")
    assert row(session, OPEN, *agent)["run_id"] == 1
    audited.execute(f"select agentdb.{stop}".encode())
    assert refusal(session, WRITE).sqlstate == "ZA040"


def test_session_behind_a_pooler_keeps_no_token(
    audited: Connection, connect: Connect
) -> None:
    first, second = pooled(audited, "p"), pooled(audited, "q")
    session = connect(audited.info.dbname, "agent_pool")
    row(session, OPEN, *first)
    row(session, OPEN, *second)
    assert refusal(session, LOG).sqlstate == "ZA001"
    assert value(session, "select current_setting('agentdb.session_token', true)") in (
        None,
        "",
    )


SPAWN = "select agentdb.spawn_token()"


def child(session: Connection, token: str) -> int:
    return int(
        value(session, "select run_id from agentdb.start_run(spawn_token => %s)", token)
    )


def test_kill_reaches_every_descendant_and_no_one_else(
    audited: Connection, join: Join, connect: Connect
) -> None:
    register(audited, "b", "agent_b")
    top, middle, sibling = join(), connect(audited.info.dbname, "agent_b"), join()
    root = start(top)
    below = child(middle, value(top, SPAWN))
    lowest = child(connect(audited.info.dbname, "agent_b"), value(middle, SPAWN))
    other = start(sibling)
    killed = rows(audited, "select * from agentdb.kill_run(%s, 'loops')", root)
    assert [each["run_id"] for each in killed] == [root, below, lowest]
    drained = rows(audited, DRAIN, root)
    assert {each["run_id"]: each["drained"] for each in drained} == dict.fromkeys(
        (root, below, lowest), True
    )
    assert refusal(middle, LOG).sqlstate == "ZA040"
    assert value(sibling, LOG) == other


@pytest.mark.parametrize("stop", ["kill_run(301, 'x')", "kill_agent('a', 'x')"])
def test_kill_reaches_no_one_else_however_it_is_planned(
    audited: Connection, join: Join, connect: Connect, stop: str
) -> None:
    """What PostgreSQL takes for the size of a table decides what it does first."""
    register(audited, "b", "agent_b")
    session, other = join(), connect(audited.info.dbname, "agent_b")
    for _ in range(300):
        start(session)
        session.execute("select agentdb.end_run()")
    run, _ = start(session), start(other)
    believed = (
        "update pg_class set reltuples = %s, relpages = %s where oid = %s::regclass"
    )
    for tuples, pages in product((0, 1, 10, 1e5), (1, 10, 100)):
        with audited.transaction(force_rollback=True):
            audited.execute(believed, [tuples, pages, "agentdb.run"])
            audited.execute(believed, [1000, 10, "agentdb.agent"])
            audited.execute(f"select agentdb.{stop}".encode())
            killed = rows(audited, "select run_id from agentdb.run_stop")
            assert [each["run_id"] for each in killed] == [run], (tuples, pages)


def test_kill_can_spare_the_descendants(audited: Connection, join: Join) -> None:
    top, below = join(), join()
    root = start(top)
    run = child(below, value(top, SPAWN))
    audited.execute("select agentdb.kill_run(%s, 'loops', tree => false)", [root])
    assert [each["run_id"] for each in rows(audited, DRAIN, root)] == [root]
    assert value(below, LOG) == run


def test_child_that_begins_during_a_kill_is_killed(
    audited: Connection, join: Join
) -> None:
    top, below = join(), join()
    root = start(top)
    token = value(top, SPAWN)
    below.execute("begin")
    run = child(below, token)
    killed = rows(audited, "select * from agentdb.kill_run(%s, 'loops')", root)
    assert [each["run_id"] for each in killed] == [root]
    slow = rows(audited, "select * from agentdb.drain_run(%s, '100 ms')", root)
    assert not slow[0]["drained"]
    below.execute("commit")
    drained = rows(audited, DRAIN, root)
    assert [each["run_id"] for each in drained] == [root, run]
    assert value(audited, OUTCOME, run) == "killed"
    for call in (LOG, WRITE):
        assert refusal(below, call).sqlstate == "ZA040"


def test_start_that_replaces_a_killed_run_does_not_meet_its_drain(
    audited: Connection, join: Join, connect: Connect
) -> None:
    old, parent, new = join(), join(), join()
    run = start(old, instance="host-3")
    above = start(parent)
    token = value(parent, SPAWN)
    opening = "select agentdb.start_run(instance => 'host-3', spawn_token => %s)"
    starting = Thread(target=new.execute, args=[opening.encode(), [token]])
    draining = connect(audited.info.dbname)
    drained: list[object] = []
    drain = Thread(target=lambda: drained.extend(rows(draining, DRAIN, run)))
    with connect(audited.info.dbname) as gate, gate.transaction():
        gate.execute(
            "select from agentdb.run_gate where run_id = %s for update", [above]
        )
        starting.start()
        until(lambda: value(audited, WAITS, new.info.backend_pid))
        audited.execute("select agentdb.kill_run(%s, 'loops')", [run])
        drain.start()
        pid = draining.info.backend_pid
        until(lambda: drained or value(audited, WAITS, pid))
    drain.join()
    starting.join()
    assert drained == [{"run_id": run, "drained": True}]
    assert value(audited, "select max(run_id) from agentdb.run") > above


def test_killed_parent_opens_no_child(audited: Connection, join: Join) -> None:
    top = join()
    root = start(top)
    token = value(top, SPAWN)
    kill(audited, root)
    opening = "select agentdb.start_run(spawn_token => %s)"
    assert refusal(join(), opening, token).sqlstate == "ZA040"


def test_spawn_token_proves_one_child(audited: Connection, join: Join) -> None:
    top = join()
    root = start(top)
    token = value(top, SPAWN)
    run = child(join(), token)
    parent = "select parent_run_id from agentdb.run_summary where run_id = %s"
    assert value(audited, parent, run) == root
    opening = "select agentdb.start_run(spawn_token => %s)"
    for wrong in (token, "", "x" * 10_000):
        assert refusal(join(), opening, wrong).sqlstate == "ZA001"


def test_unused_spawn_tokens_are_bounded(audited: Connection, join: Join) -> None:
    top = join()
    start(top)
    top.execute("select agentdb.spawn_token() from generate_series(1, 100)")
    assert refusal(top, SPAWN).sqlstate == "ZA005"


SET_FOR = """
select c.entry
from pg_db_role_setting as s
join pg_roles as r on r.oid = s.setrole and r.rolname = 'agent_b'
join pg_database as d on d.oid = s.setdatabase and d.datname = current_database()
cross join lateral unnest(s.setconfig) as c (entry)
order by 1
"""
CHECKED = "select state from agentdb.doctor where check_name = 'connection of b'"


def test_server_asks_whether_the_client_of_an_agent_is_still_there(
    db: Connection, connect: Connect
) -> None:
    database = db.info.dbname
    db.execute(
        f"alter role agent_b in database {database} set tcp_keepalives_idle = 99".encode()
    )
    register(db, "b", "agent_b")
    assert [each["entry"] for each in rows(db, SET_FOR)] == [
        "client_connection_check_interval=10s",
        "tcp_keepalives_count=3",
        "tcp_keepalives_idle=99",
        "tcp_keepalives_interval=10",
    ]
    session = connect(database, "agent_b")
    assert value(session, "show client_connection_check_interval") == "10s"
    assert rows(db, CHECKED) == []


def test_registration_by_who_may_not_set_that_is_told_by_the_doctor(
    db: Connection, connect: Connect
) -> None:
    register(connect(db.info.dbname, "operator_o"), "b", "agent_b")
    assert rows(db, SET_FOR) == []
    assert rows(db, CHECKED) == [{"state": "warning"}]
    fix = value(db, CHECKED.replace("state", "fix"))
    db.execute(fix.encode())
    assert rows(db, CHECKED) == []
