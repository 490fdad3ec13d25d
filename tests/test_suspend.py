"""Break glass: what protects a table is suspended by its owner, for a time, and named."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import psycopg
import pytest

from agentdb.local import LocalServer

from .agents import age, evaluate, labels, refusal, register, row, rows, start, value
from .conftest import Connect, Connection, install_on
from .servers import Server, tell
from .test_cli import agentdb
from .test_guard import TABLES, WAYS
from .test_lock import acquire

PROTECTED = (
    TABLES
    + """
create function public.pay() returns void language sql security definer
  set search_path = pg_catalog as 'update public.invoice set amount = 3';
create procedure public.pay_all() language sql security definer
  as 'update public.invoice set amount = 3';
create table public.report (id int primary key, n int);
create table public.base (id int primary key, n int);
create table public.child (primary key (id)) inherits (base);
grant select, insert, update, delete, truncate on report, base, child
  to agent_a, agent_b, app_user;
alter table invoice owner to operator_o;
alter table part owner to operator_o;
alter table part_old owner to operator_o;
alter table part_new owner to operator_o;
alter table report owner to operator_o;
select agentdb.guard_table('public.invoice');
select agentdb.guard_table('public.part');
select agentdb.audit_table('public.report');
select agentdb.audit_table('public.base');
"""
)


@pytest.fixture
def db(db: Connection) -> Connection:
    """Guarded, audited and partitioned tables; most belong to operator_o."""
    db.execute(PROTECTED.encode())
    register(db)
    return db


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


@pytest.fixture
def owner(db: Connection, connect: Connect) -> Connection:
    return connect(db.info.dbname, "operator_o")


@pytest.fixture
def app(db: Connection, connect: Connect) -> Connection:
    return connect(db.info.dbname, "app_user")


def suspend(session: Connection, what: str, table: str, lasts: str = "1 hour") -> None:
    session.execute(
        "select agentdb.suspend(%s::text, %s::text, 'it is broken', %s::interval)",
        [what, f"public.{table}", lasts],
    )


def resume(session: Connection, what: str, table: str) -> None:
    query = "select * from agentdb.unsuspend(%s::text, %s::text, 'fixed')"
    assert session.execute(query, [what, f"public.{table}"]).fetchall()


def let_pass(db: Connection, time: str) -> None:
    """Let time pass for what is suspended; less than none sets the clock back."""
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute(
            "update agentdb.suspension set since_at = since_at - %(time)s::interval,"
            " began_at = began_at - %(time)s::interval,"
            " ends_at = ends_at - %(time)s::interval,"
            " ended_at = ended_at - %(time)s::interval",
            {"time": time},
        )


def settle(db: Connection) -> None:
    """Do what the runner does twice a minute: now nothing can commit unrecorded."""
    for _ in range(2):
        db.execute("select * from agentdb.maintain_tables()")


# --- The guard --------------------------------------------------------------------


def test_suspended_guard_stops_no_way_of_writing_and_holds_again_after(
    db: Connection, agent: Connection, owner: Connection
) -> None:
    for table in ("invoice", "part"):
        suspend(owner, "guard", table)
    for way in WAYS:
        with agent.transaction(force_rollback=True):
            agent.execute(way.encode())
    agent.execute("deallocate all")
    for table in ("invoice", "part"):
        resume(owner, "guard", table)
    for way in WAYS:
        assert refusal(agent, way).sqlstate == "ZA050", way


def test_only_the_named_protection_of_the_named_table_is_suspended(
    db: Connection, agent: Connection, owner: Connection
) -> None:
    suspend(owner, "guard", "invoice")
    assert refusal(agent, "update part set n = 5").sqlstate == "ZA050"
    agent.execute("update invoice set note = 'x' where id = 1")
    assert value(db, "select count(*) from agentdb.audit") == 1
    suspend(owner, "audit", "invoice")
    agent.execute("update invoice set note = 'y' where id = 1")
    assert value(db, "select count(*) from agentdb.audit") == 1
    resume(owner, "guard", "invoice")
    assert refusal(agent, "update invoice set note = 'z'").sqlstate == "ZA050"


def test_partition_that_comes_meanwhile_is_covered_and_guarded_after(
    db: Connection, agent: Connection, owner: Connection
) -> None:
    suspend(owner, "guard", "part")
    db.execute(
        "alter table part detach partition part_new;"
        "create table part_more partition of part for values from ('2026-01-01')"
        " to ('2027-01-01'); grant all on part_more to agent_a"
    )
    agent.execute("insert into part values (7, '2026-05-05', 7)")
    agent.execute("insert into part_more values (8, '2026-05-05', 8)")
    resume(owner, "guard", "part")
    for table in ("part", "part_more"):
        write = f"insert into {table} values (9, '2026-05-05', 9)"
        assert refusal(agent, write).sqlstate == "ZA050"


def test_partition_by_its_own_name_is_refused_with_the_name_of_the_whole(
    db: Connection, owner: Connection
) -> None:
    for what, table in (("guard", "part_new"), ("audit", "part_old")):
        refused = refusal(
            owner, f"select agentdb.suspend('{what}', 'public.{table}', 'x')"
        )
        assert refused.sqlstate == "ZA006"
        assert "public.part " in (refused.message_hint or "")


# --- The fence --------------------------------------------------------------------


@pytest.fixture
def fenced(db: Connection, owner: Connection) -> Connection:
    """The owner of two tables under one lock, of which one belongs to another."""
    db.execute("select agentdb.fence_table('public.customer', 'l')")
    db.execute("alter table customer owner to installer")
    owner.execute("select agentdb.fence_table('public.report', 'l')")
    return owner


WRITES = (
    "insert into report values (5, 5)",
    "update report set n = 6",
    "delete from report",
    "truncate report",
)


def test_suspended_fence_lets_write_without_the_lock_and_holds_again_after(
    db: Connection, fenced: Connection, agent: Connection
) -> None:
    for write in WRITES:
        assert refusal(agent, write).sqlstate == "ZA020"
    suspend(fenced, "fence", "report")
    for write in WRITES:
        agent.execute(write)
    resume(fenced, "fence", "report")
    for write in WRITES:
        assert refusal(agent, write).sqlstate == "ZA020"
    assert rows(db, "select * from agentdb.fenced_write") == []


def test_write_from_before_commits_although_its_lock_was_lost_since(
    db: Connection, fenced: Connection, agent: Connection
) -> None:
    db.execute("select agentdb.unfence_table('public.customer')")
    acquire(agent)
    with agent.transaction():
        agent.execute("insert into report values (1, 1)")
        age(db, "lock", "expires_at", "1 day")
        db.execute("select agentdb.force_release_lock('l', 'stuck')")
        suspend(fenced, "fence", "report")
    assert value(db, "select count(*) from report") == 1
    assert rows(db, "select * from agentdb.fenced_write") == []


def test_who_suspends_its_own_fence_takes_none_off_anothers_table(
    db: Connection, fenced: Connection, agent: Connection
) -> None:
    suspend(fenced, "fence", "report")
    assert refusal(agent, "insert into customer values (7, 'x')").sqlstate == "ZA020"
    acquire(agent)
    with pytest.raises(psycopg.Error) as refused, agent.transaction():
        agent.execute("insert into customer values (7, 'x')")
        db.execute("select agentdb.force_release_lock('l', 'stuck')")
    assert refused.value.sqlstate == "ZA020"
    assert value(db, "select count(*) from customer where id = 7") == 0


# --- What breaks ------------------------------------------------------------------

RAISE = (
    "create or replace function agentdb.{} returns {} language plpgsql"
    " set search_path = pg_catalog, pg_temp as 'begin raise division_by_zero; end'"
)
BREAKS = {
    "guard": [
        "alter table agentdb.change_pass rename to gone",
        "alter table agentdb.agent rename to gone",
        "alter table agentdb.run_gate rename to gone",
        RAISE.format("_is_agent()", "boolean"),
        RAISE.format("_writer(out agent_id bigint, out run_id bigint,"
                     " out change_id bigint)", "record"),
    ],
    "audit": [
        "alter table agentdb.audit_log rename to gone",
        "alter table agentdb.run_gate rename to gone",
        "drop table agentdb.audit_log_default; do $$ declare p text; begin"
        " for p in select partition_name from agentdb.log_partition where log_name ="
        " 'audit_log' loop execute 'drop table agentdb.' || p; end loop; end $$",
        "alter sequence agentdb.audit_statement_seq rename to gone",
        "revoke insert on agentdb.audit_log from agentdb_capture",
        RAISE.format("_layout(table_oid oid)", "text"),
    ],
    "fence": [
        "alter table agentdb.lock rename to gone",
        "alter table agentdb.agent rename to gone",
        "alter table agentdb.fenced_write rename to gone",
        "drop trigger agentdb_fence_again on agentdb.fenced_write;"
        " drop table agentdb.fenced_write",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("what", "damage"), [(what, each) for what, all_ in BREAKS.items() for each in all_]
)
def test_whatever_else_of_ours_is_broken_the_application_writes_again(
    db: Connection,
    agent: Connection,
    app: Connection,
    owner: Connection,
    what: str,
    damage: str,
) -> None:
    owner.execute("select agentdb.guard_table('public.report', everybody => true)")
    owner.execute("select agentdb.fence_table('public.report', 'l')")
    acquire(agent)
    for other in {"guard", "audit", "fence"} - {what}:
        suspend(owner, other, "report")
    db.execute(damage.encode())
    write = "insert into report select coalesce(max(id), 0) + 1, 1 from report"
    agents = refusal(agent, write)
    assert agents.sqlstate in ("42P01", "42703", "22012", "23514", "42501")
    suspend(owner, what, "report")
    for each in (agent, app, db):
        each.execute(write.encode())
    assert value(db, "select count(*) from report") == 3
    resume(owner, what, "report")
    assert refusal(agent, write).sqlstate == agents.sqlstate


# --- Nobody is waited for, no snapshot gets around it ------------------------------


@pytest.mark.parametrize("what", ["audit", "guard", "fence"])
@pytest.mark.parametrize("level", ["read committed", "repeatable read"])
def test_neither_step_waits_for_a_transaction_that_writes_the_table(
    db: Connection, agent: Connection, owner: Connection, what: str, level: str
) -> None:
    owner.execute("select agentdb.guard_table('public.report')")
    owner.execute("select agentdb.fence_table('public.report', 'l')")
    for each in ("audit", "guard", "fence"):
        suspend(owner, each, "report")
    resume(owner, what, "report")
    with agent.transaction():
        agent.execute(f"set transaction isolation level {level}".encode())
        agent.execute("select 1")
        suspend(owner, what, "report")
        if level == "read committed":
            agent.execute("insert into report values (1, 1)")
        db.execute("set lock_timeout = '5s'")
        with db.transaction():
            # What holds up an ALTER TABLE holds up nothing here.
            if level != "read committed":
                db.execute("lock table report in access exclusive mode")
            suspend(owner, what, "report")
            resume(owner, what, "report")


@pytest.mark.parametrize("what", ["audit", "guard", "fence"])
def test_old_snapshot_does_not_write_on_after_the_end(
    db: Connection, agent: Connection, owner: Connection, what: str
) -> None:
    owner.execute("select agentdb.guard_table('public.report')")
    owner.execute("select agentdb.fence_table('public.report', 'l')")
    for each in ("audit", "guard", "fence"):
        suspend(owner, each, "report")
    agent.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with pytest.raises(psycopg.errors.SerializationFailure), agent.transaction():
        agent.execute("insert into report values (1, 1)")
        # It holds nothing that this would wait for.
        resume(owner, what, "report")
        agent.execute("insert into report values (2, 2)")
    assert value(db, "select count(*) from report") == 0


@pytest.mark.parametrize("way", ["insert into report values (1, 1)", "truncate report"])
def test_killed_agent_does_not_go_on_where_all_is_suspended(
    db: Connection, agent: Connection, owner: Connection, way: str
) -> None:
    owner.execute("select agentdb.guard_table('public.report')")
    for what in ("guard", "audit"):
        suspend(owner, what, "report")
    agent.execute(way.encode())
    db.execute("select * from agentdb.kill_agent('a', 'harm')")
    assert refusal(agent, way).sqlstate == "ZA040"


# --- The named gap ----------------------------------------------------------------

GAP = "its audit was suspended by operator_o from "


def past(session: Connection, at: str) -> psycopg.errors.Diagnostic:
    return refusal(
        session, "select agentdb.table_as_of('public.report', %s::timestamptz)", at
    )


def now(db: Connection) -> str:
    return str(value(db, "select clock_timestamp()::text"))


def test_past_is_refused_across_the_gap_and_known_on_both_sides_of_another(
    db: Connection, app: Connection, owner: Connection
) -> None:
    app.execute("insert into report values (1, 1), (2, 2)")
    before = now(db)
    suspend(owner, "audit", "report")
    app.execute("update report set n = 10 where id = 1")
    within = now(db)
    for moment in (before, within, now(db)):
        said = past(owner, moment)
        assert said.sqlstate == "ZA033"
        assert GAP in (said.message_primary or "")
        assert "to now: it is broken" in (said.message_primary or "")
        assert "unsuspend" in (said.message_hint or "")
    key = '{"id": 2}'
    query = "select agentdb.row_as_of('public.report', %s::jsonb, %s::timestamptz)"
    assert refusal(owner, query, key, before).sqlstate == "ZA033"
    resume(owner, "audit", "report")
    settle(db)
    after = now(db)
    kept = rows(db, "select id, n from report order by id")
    app.execute("update report set n = 20; delete from report where id = 2")
    told = rows(
        db,
        "select (row_values ->> 'id')::int as id, (row_values ->> 'n')::int as n"
        " from agentdb.table_as_of('public.report', %s::timestamptz) order by 1",
        after,
    )
    assert told == kept
    for moment in (before, within):
        said = past(owner, moment)
        assert "Ask for a moment since" in (said.message_hint or "")


def test_gap_lasts_until_what_was_not_recorded_is_committed(
    db: Connection, app: Connection, owner: Connection
) -> None:
    app.execute("insert into report values (1, 1)")
    suspend(owner, "audit", "report")
    with app.transaction():
        app.execute("update report set n = 2")
        resume(owner, "audit", "report")
        settle(db)
        between = now(db)
        assert value(db, "select n from report") == 1
        assert GAP in (past(owner, between).message_primary or "")
    settle(db)
    assert GAP in (past(owner, between).message_primary or "")
    told = value(
        db,
        "select row_values ->> 'n' from agentdb.table_as_of('public.report', %s)",
        now(db),
    )
    assert told == "2"


def test_gap_that_was_extended_has_one_end(
    db: Connection, app: Connection, owner: Connection
) -> None:
    ends = "select distinct ended_at is null as open from agentdb.recording_gap"
    suspend(owner, "audit", "report")
    suspend(owner, "audit", "report")
    settle(db)
    assert rows(db, ends) == [{"open": True}]
    resume(owner, "audit", "report")
    settle(db)
    assert rows(db, ends) == [{"open": False}]


@pytest.mark.parametrize(
    ("table", "write"),
    [
        ("report", "insert into report values (9, 9)"),
        ("report", "update report set n = 9"),
        ("report", "delete from report"),
        ("report", "truncate report"),
        ("report", "copy report from stdin"),
        ("part", "update part set n = n + 1"),
        ("part", "update part_new set n = n + 1"),
        ("part", "truncate part"),
        ("part", "truncate part_old"),
        ("base", "update base set n = 9"),
        ("base", "insert into child values (9, 9)"),
        ("base", "truncate base"),
    ],
)
def test_nothing_is_recorded_while_suspended_and_everything_again_after(
    db: Connection, table: str, write: str
) -> None:
    count = "select count(*) from agentdb.audit_log"

    def write_once() -> None:
        db.execute("insert into report values (1, 1); insert into child values (1, 1)")
        before = value(db, count)
        with db.cursor() as cursor:
            if write.startswith("copy"):
                with cursor.copy(write.encode()) as copy:
                    copy.write("9\t9\n")
            else:
                cursor.execute(write.encode())
        assert (value(db, count) > before) == recorded

    recorded = True
    with db.transaction(force_rollback=True):
        write_once()
    suspend(db, "audit", table)
    recorded = False
    if table == "base":
        resume(db, "audit", "base")
        suspend(db, "audit", "base")
    with db.transaction(force_rollback=True):
        write_once()
    resume(db, "audit", table)
    recorded = True
    with db.transaction(force_rollback=True):
        write_once()


def test_history_of_a_row_names_the_gap_in_its_place(
    db: Connection, app: Connection, owner: Connection, server: Server
) -> None:
    app.execute("insert into report values (1, 1)")
    suspend(owner, "audit", "report")
    app.execute("update report set n = 2")
    resume(owner, "audit", "report")
    settle(db)
    app.execute("update report set n = 3")
    history = rows(db, "select * from agentdb.row_history('report', '1')")
    assert [each["operation"] for each in history] == [
        "insert", "not recorded", "update",
    ]  # fmt: skip
    gap = history[1]
    assert gap["session_role"] == "operator_o"
    assert gap["new_values"]["reason"] == "it is broken"
    assert gap["new_values"]["until"]
    dsn = server.dsn(database=db.info.dbname, user="operator_o")
    for words in (["report"], ["report", "1"]):
        said = agentdb("audit", *words, dsn=dsn).splitlines()
        heads = [line for line in said if not line.startswith("  ")]
        assert "update" in heads[0] and "insert" in heads[2]
        assert "not recorded until" in heads[1]
        assert "suspended by operator_o: it is broken" in heads[1]


def test_undo_of_what_may_not_be_recorded_is_refused_and_can_be_had_in_part(
    db: Connection, agent: Connection, owner: Connection
) -> None:
    whole = value(agent, "select run_id from agentdb.start_run(conversation => 'x')")
    agent.execute("select agentdb.end_run(run => %s)", [whole])
    run = value(db, "select run_id from agentdb.run where ended_at is null")
    agent.execute("insert into report values (1, 1)")
    suspend(owner, "audit", "report")
    agent.execute("insert into report values (2, 2)")
    resume(owner, "audit", "report")
    settle(db)
    refused = refusal(owner, f"select * from agentdb.undo_run({run})")
    assert refused.sqlstate == "ZA056"
    assert f"public.report is not all recorded: {GAP}" in (
        refused.message_primary or ""
    )
    assert "skip" in (refused.message_hint or "")
    xid = value(db, "select min(xid::text::bigint) from agentdb.audit_log")
    done = row(owner, f"select * from agentdb.undo_transaction('{xid}')")
    assert (done["state"], done["row_count"]) == ("approved", 1)
    owner.execute(f"select agentdb.withdraw_change({done['change_id']})")
    done = row(owner, f"select * from agentdb.undo_run({run}, on_conflict => 'skip')")
    assert (done["state"], done["row_count"]) == ("approved", 1)
    reason = value(
        db, "select reason from agentdb.change where change_id = %s", done["change_id"]
    )
    assert GAP in reason
    # Of the run that was over by then all is recorded: that it wrote nothing.
    refused = refusal(owner, f"select * from agentdb.undo_run({whole})")
    assert "no row that it wrote" in (refused.message_primary or "")


def test_transaction_that_lasted_into_the_gap_is_not_undone_as_if_it_were_all(
    db: Connection, app: Connection, owner: Connection
) -> None:
    with app.transaction():
        app.execute("insert into report values (1, 1)")
        xid = value(app, "select pg_current_xact_id()::text")
        suspend(owner, "audit", "report")
        app.execute("insert into report values (2, 2)")
    resume(owner, "audit", "report")
    settle(db)
    with app.transaction():
        later = value(app, "select pg_current_xact_id()::text")
        app.execute("insert into report values (3, 3)")
    refused = refusal(owner, f"select * from agentdb.undo_transaction('{xid}')")
    assert GAP in (refused.message_primary or "")
    done = row(owner, f"select * from agentdb.undo_transaction('{later}')")
    assert done["row_count"] == 1


def test_what_could_not_be_recorded_refutes_no_claim_and_accuses_no_tool(
    db: Connection, agent: Connection, owner: Connection
) -> None:
    db.execute(
        "select agentdb.register_tool('save', writes => '[{\"table\": \"report\"}]')"
    )
    suspend(owner, "audit", "report")
    agent.execute("insert into report values (1, 1)")
    agent.execute("select agentdb.log_tool_call('save')")
    agent.execute("select agentdb.claim_rows('report', 'insert', '1')")
    resume(owner, "audit", "report")
    settle(db)
    # The first of these may have returned what was written while nobody looked.
    for _ in range(2):
        agent.execute("select agentdb.log_tool_call('save')")
    found = rows(db, "select tool_call_log_id from agentdb.tool_diff(1)")
    late = value(db, "select max(tool_call_log_id) from agentdb.tool_call_log")
    assert found == [{"tool_call_log_id": late}]
    agent.execute("select agentdb.complete_run()")
    told = row(db, "select verdict, evidence from agentdb.verdict")
    assert told["verdict"] == "unreachable"
    assert GAP in told["evidence"]["not_recorded"]


# --- Who may ----------------------------------------------------------------------

ASK = {
    "suspend": "select agentdb.suspend('{}', '{}', 'because')",
    "unsuspend": "select agentdb.unsuspend('{}', '{}', 'because')",
}


@pytest.mark.parametrize("verb", ASK)
@pytest.mark.parametrize("user", ["agent_a", "reviewer_r", "auditor_u", "app_user"])
def test_who_is_no_operator_calls_neither(
    db: Connection, connect: Connect, verb: str, user: str
) -> None:
    suspend(db, "guard", "invoice")
    session = connect(db.info.dbname, user)
    assert (
        refusal(session, ASK[verb].format("guard", "public.invoice")).sqlstate
        == "42501"
    )
    for table in ("agentdb.suspension", "agentdb.suspension_status"):
        if user != "auditor_u":
            assert refusal(session, f"select * from {table}").sqlstate == "42501"
    write = "insert into agentdb.suspension (what) values ('guard')"
    assert refusal(session, write).sqlstate == "42501"


@pytest.mark.parametrize("verb", ASK)
@pytest.mark.parametrize("what", ["audit", "guard", "fence"])
def test_operator_who_does_not_own_the_table_is_refused(
    db: Connection, owner: Connection, verb: str, what: str
) -> None:
    db.execute("alter table invoice owner to installer")
    db.execute("select agentdb.fence_table('public.invoice', 'l')")
    suspend(db, what, "invoice")
    refused = refusal(owner, ASK[verb].format(what, "public.invoice"))
    assert refused.sqlstate == "ZA035"
    assert "installer" in (refused.message_hint or "")
    assert len(rows(db, "select from agentdb.suspension_status")) == 1


@pytest.mark.parametrize("verb", ASK)
def test_agent_that_was_made_owner_and_operator_since_is_refused_all_the_same(
    db: Connection, connect: Connect, verb: str
) -> None:
    db.execute("alter table invoice owner to agent_a")
    suspend(db, "guard", "invoice")
    grant = "grant agentdb_operator, operator_o to agent_a"
    with db.transaction():
        db.execute(grant)
    try:
        session = connect(db.info.dbname, "agent_a")
        for role in ("agent_a", "operator_o"):
            session.execute(f"set role {role}".encode())
            refused = refusal(session, ASK[verb].format("guard", "public.invoice"))
            assert refused.sqlstate == "ZA035"
    finally:
        db.execute(grant.replace("grant", "revoke").replace(" to ", " from "))


def test_trojan_of_an_agent_in_a_session_of_the_owner_is_not_the_agent(
    db: Connection, connect: Connect, owner: Connection
) -> None:
    """A definer function acts with the agent's rights: it may not call suspend()."""
    db.execute("grant create on schema public to agent_a")
    session = connect(db.info.dbname, "agent_a")
    session.execute(
        "create function public.helpful() returns void language plpgsql security definer"
        " as $$ begin perform agentdb.suspend('guard', 'public.invoice', 'x'); end $$"
    )
    assert refusal(owner, "select public.helpful()").sqlstate == "42501"


# --- What is said -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        ("null, 'public.report', 'x'", "ZA004"),
        ("'', 'public.report', 'x'", "ZA004"),
        ("'Audit', 'public.report', 'x'", "ZA004"),
        ("'audit; drop table x', 'public.report', 'x'", "ZA004"),
        ("'audit', null, 'x'", "ZA006"),
        ("'audit', '', 'x'", "ZA006"),
        ("'audit', 'report', 'x'", "ZA006"),
        ("'audit', 'public.nothing', 'x'", "ZA006"),
        ("'audit', 'public.report; drop table report', 'x'", "ZA006"),
        ("'audit', 'a.b.c.d', 'x'", "ZA006"),
        ("'audit', '\"', 'x'", "ZA006"),
        ("'audit', repeat('x', 100000), 'x'", "ZA006"),
        ("'audit', 'agentdb.run', 'x'", "ZA035"),
        ("'audit', 'pg_catalog.pg_class', 'x'", "ZA035"),
        ("'fence', 'public.report', 'x'", "ZA006"),
        ("'guard', 'public.report', 'x'", "ZA006"),
        ("'audit', 'public.report', null", "ZA004"),
        ("'audit', 'public.report', '  '", "ZA004"),
        ("'audit', 'public.report', E'a\\nb'", "ZA004"),
        ("'audit', 'public.report', E'a\\u202eb'", "ZA004"),
        ("'audit', 'public.report', repeat('x', 1001)", "ZA004"),
        ("'audit', 'public.report', 'x', null", "ZA004"),
        ("'audit', 'public.report', 'x', '0'", "ZA004"),
        ("'audit', 'public.report', 'x', '-1 hour'", "ZA004"),
        ("'audit', 'public.report', 'x', '24 hours 1 second'", "ZA004"),
        ("'audit', 'public.report', 'x', '1 month'", "ZA004"),
    ],
)
def test_invalid_argument_suspends_nothing(
    db: Connection, owner: Connection, arguments: str, state: str
) -> None:
    assert refusal(owner, f"select agentdb.suspend({arguments})").sqlstate == state
    assert rows(db, "select from agentdb.suspension") == []


def test_day_of_suspension_is_24_hours_in_every_time_zone(
    db: Connection, owner: Connection
) -> None:
    owner.execute("set timezone = 'Europe/Berlin'")
    suspend(owner, "audit", "report", "1 day")
    lasts = value(db, "select ends_at - began_at = '24:00:00' from agentdb.suspension")
    assert lasts


def test_second_suspension_replaces_the_first_and_both_stay_on_record(
    db: Connection, owner: Connection, app: Connection
) -> None:
    suspend(owner, "audit", "report", "5 minutes")
    suspend(owner, "audit", "report", "2 hours")
    suspend(db, "audit", "report", "1 hour")
    told = rows(db, "select * from agentdb.suspension order by suspension_id")
    assert [each["suspended_by"] for each in told] == ["operator_o"] * 2 + ["postgres"]
    assert {each["since_at"] for each in told} == {told[0]["began_at"]}
    assert [each["ended_by"] for each in told] == ["operator_o", "postgres", None]
    assert told[0]["ended_at"] == told[1]["began_at"]
    assert told[1]["ended_at"] == told[2]["began_at"]
    status = row(db, "select * from agentdb.suspension_status")
    assert status["ends_at"] == told[2]["ends_at"]
    assert status["since_at"] == told[0]["began_at"]
    assert status["ends_with"] == "agentdb unsuspend audit public.report --reason …"
    app.execute("insert into report values (1, 1)")
    resume(owner, "audit", "report")
    app.execute("insert into report values (2, 2)")
    keys = rows(db, "select row_key from agentdb.audit")
    assert keys == [{"row_key": {"id": 2}}]
    ended = row(db, "select ended_by, end_reason from agentdb.suspension"
                    " order by suspension_id desc limit 1")  # fmt: skip
    assert ended == {"ended_by": "operator_o", "end_reason": "fixed"}
    again = "select * from agentdb.unsuspend('audit', 'public.report', 'x')"
    assert rows(owner, again) == []


def test_two_at_once_become_one_after_the_other(
    db: Connection, owner: Connection, connect: Connect
) -> None:
    other = connect(db.info.dbname)
    with owner.transaction():
        suspend(owner, "audit", "report")
        ask = "select agentdb.suspend('audit', 'public.report', 'x')"
        assert refusal(other, ask).sqlstate == "55P03"
    suspend(other, "audit", "report")
    assert len(rows(db, "select from agentdb.suspension_status")) == 1


SEQUENCE = "select last_value::integer from agentdb.suspension_seq"


def test_writes_look_for_suspensions_only_while_there_is_one(
    db: Connection, owner: Connection, agent: Connection
) -> None:
    assert value(db, SEQUENCE) == 0
    suspend(owner, "guard", "invoice")
    suspend(owner, "audit", "report")
    resume(owner, "audit", "report")
    settle(db)
    assert value(db, SEQUENCE) == 1
    agent.execute("update invoice set note = 'x'")
    resume(owner, "guard", "invoice")
    assert value(db, SEQUENCE) == 1
    with owner.transaction():
        # What is about to begin is not forgotten, nor waited for.
        suspend(owner, "guard", "part")
        settle(db)
    agent.execute("update part set n = 5")
    resume(owner, "guard", "part")
    settle(db)
    assert value(db, SEQUENCE) == 0


def test_suspension_that_is_rolled_back_never_was(
    db: Connection, owner: Connection, app: Connection
) -> None:
    with owner.transaction(force_rollback=True):
        suspend(owner, "audit", "report")
        app.execute("insert into report values (1, 1)")
    assert value(db, "select count(*) from agentdb.audit") == 1
    assert rows(db, "select from agentdb.suspension") == []


# --- Its end ----------------------------------------------------------------------


def test_it_ends_by_itself_and_no_clock_brings_it_back(
    db: Connection, agent: Connection, owner: Connection
) -> None:
    write = "update invoice set note = 'x'"
    suspend(owner, "guard", "invoice")
    let_pass(db, "61 minutes")
    assert refusal(agent, write).sqlstate == "ZA050"
    assert rows(db, "select from agentdb.suspension_status") == []
    settle(db)
    ended = row(
        db, "select ended_at = ends_at as then, ended_by from agentdb.suspension"
    )
    assert ended == {"then": True, "ended_by": None}
    # The clock goes back to the middle of its time.
    let_pass(db, "-30 minutes")
    assert refusal(agent, write).sqlstate == "ZA050"


def test_clock_set_back_before_its_begin_leaves_the_protection_in_force(
    db: Connection, agent: Connection, owner: Connection
) -> None:
    suspend(owner, "guard", "invoice")
    let_pass(db, "-1 hour")
    assert refusal(agent, "update invoice set note = 'x'").sqlstate == "ZA050"


def test_one_that_has_run_out_can_be_begun_anew(
    db: Connection, agent: Connection, owner: Connection
) -> None:
    suspend(owner, "guard", "invoice")
    let_pass(db, "61 minutes")
    assert (
        rows(owner, "select * from agentdb.unsuspend('guard', 'public.invoice', 'x')")
        == []
    )
    suspend(owner, "guard", "invoice")
    agent.execute("update invoice set note = 'x'")
    fresh = "select since_at = began_at as fresh from agentdb.suspension_status join agentdb.suspension using (since_at)"
    assert rows(db, fresh) == [{"fresh": True}]


def test_renamed_table_stays_suspended_and_is_resumed_by_its_new_name(
    db: Connection, agent: Connection, owner: Connection
) -> None:
    suspend(owner, "guard", "invoice")
    db.execute(
        "create schema books; grant usage on schema books to operator_o, agent_a"
    )
    db.execute('alter table invoice rename to "In voice"')
    db.execute('alter table "In voice" set schema books')
    agent.execute('update books."In voice" set note = $$x$$')
    assert labels(db, "suspended_protection") == [
        {"protection": "guard", "table": 'books."In voice"'}
    ]
    status = row(db, "select ends_with from agentdb.suspension_status")
    assert status["ends_with"] == (
        "agentdb unsuspend guard 'books.\"In voice\"' --reason …"
    )
    refused = refusal(owner, "select agentdb.unsuspend('guard', 'public.invoice', 'x')")
    assert refused.sqlstate == "ZA006"
    owner.execute("select agentdb.unsuspend('guard', 'books.\"In voice\"', 'fixed')")
    assert refusal(agent, 'delete from books."In voice"').sqlstate == "ZA050"


def test_dropped_table_is_reported_no_more_and_breaks_nothing(
    db: Connection, owner: Connection
) -> None:
    for what, table in (("guard", "invoice"), ("audit", "invoice"), ("audit", "part")):
        suspend(owner, what, table)
    db.execute("drop table invoice cascade; drop table part cascade")
    assert labels(db, "suspended_protection") == []
    assert rows(db, "select from agentdb.suspension_status") == []
    settle(db)
    assert len(rows(db, "select from agentdb.recording_gap")) == 2
    assert (
        refusal(
            owner, "select agentdb.unsuspend('guard', 'public.invoice', 'x')"
        ).sqlstate
        == "ZA006"
    )
    db.execute("create table public.invoice (id int primary key)")
    db.execute("alter table invoice owner to operator_o")
    owner.execute("select agentdb.guard_table('public.invoice')")
    db.execute("grant all on invoice to agent_a")


def test_table_that_is_guarded_anew_meanwhile_stays_suspended_and_said_to_be(
    db: Connection, agent: Connection, owner: Connection
) -> None:
    suspend(owner, "guard", "invoice")
    owner.execute("select agentdb.unguard_table('public.invoice')")
    owner.execute("select agentdb.guard_table('public.invoice')")
    agent.execute("update invoice set note = 'x'")
    assert len(labels(db, "suspended_protection")) == 1
    resume(owner, "guard", "invoice")
    assert refusal(agent, "update invoice set note = 'x'").sqlstate == "ZA050"


# --- It is kept, and reported -----------------------------------------------------


@pytest.mark.parametrize(
    "rewrite",
    [
        "delete from agentdb.suspension",
        "truncate agentdb.suspension",
        "update agentdb.suspension set reason = 'nothing'",
        "update agentdb.suspension set ends_at = ends_at + interval '1 hour'",
        "update agentdb.suspension set began_at = began_at + interval '1 minute'",
        "update agentdb.suspension set suspended_by = 'app_user'",
        "update agentdb.suspension set ended_at = null",
        "update agentdb.suspension set recorded_again_at = null",
    ],
)
def test_what_is_on_record_is_changed_by_nobody(
    db: Connection, owner: Connection, rewrite: str
) -> None:
    suspend(owner, "audit", "report")
    resume(owner, "audit", "report")
    settle(db)
    db.execute("set role agentdb_owner")
    assert refusal(db, rewrite).sqlstate == "ZA008"


def test_rule_reports_it_from_the_first_evaluation_until_it_is_resumed(
    db: Connection, owner: Connection
) -> None:
    suspend(owner, "guard", "invoice")
    evaluate(db)
    alert = row(
        db, "select * from agentdb.alert where rule_name = 'suspended_protection'"
    )
    assert alert["state"] == "firing"
    assert alert["labels"] == {"protection": "guard", "table": "public.invoice"}
    summary = alert["annotations"]["summary"]
    assert "by operator_o: it is broken" in summary
    suspend(owner, "guard", "invoice", "2 hours")
    evaluate(db)
    states = "select state from agentdb.alert where rule_name = 'suspended_protection'"
    assert rows(db, states) == [{"state": "firing"}]
    resume(owner, "guard", "invoice")
    evaluate(db)
    assert rows(db, states) == [{"state": "resolved"}]
    began = str(value(db, "select min(began_at)::text from agentdb.suspension"))
    assert len(labels(db, "suspended_protection", began)) == 1


def test_status_and_doctor_say_so_and_are_silent_where_nothing_is(
    db: Connection, owner: Connection
) -> None:
    asked = "select state, detail from agentdb.{} where check_name = 'protection'"
    for view in ("health_check", "doctor"):
        assert rows(db, asked.format(view)) == []
    suspend(owner, "audit", "report")
    for view in ("health_check", "doctor"):
        told = row(db, asked.format(view))
        assert told["state"] == "warning"
        assert "the audit of public.report is suspended until" in told["detail"]
        assert "by operator_o (it is broken)" in told["detail"]


def test_command_says_what_is_off_until_when_and_how_to_put_it_back(
    db: Connection, agent: Connection, server: Server
) -> None:
    dsn = server.dsn(database=db.info.dbname, user="operator_o")
    said = agentdb(
        "suspend", "guard", "invoice", "--for", "30m", "--reason", "stuck", dsn=dsn
    )
    first, second, third = said.splitlines()
    assert first.startswith("the guard of public.invoice is suspended until ")
    assert second == "agents may write it directly until then"
    agent.execute("update invoice set note = 'x'")
    assert "protection" in agentdb("status", dsn=dsn, code=None)
    _, _, command = third.partition(": agentdb ")
    words = [*command.replace("…", "fixed").split()]
    said = agentdb(*words, dsn=dsn)
    assert said.startswith("the guard of public.invoice is in force again")
    assert refusal(agent, "update invoice set note = 'x'").sqlstate == "ZA050"
    said = agentdb(*words, dsn=dsn)
    assert said == "the guard of public.invoice was not suspended\n"
    said = agentdb("suspend", "guard", "customer", "--reason", "x", dsn=dsn, code=1)
    assert "does not own the table" in said
    said = agentdb("suspend", "guard", "no such", "--reason", "x", dsn=dsn, code=1)
    assert "there is no table no such" in said
    agentdb(
        "suspend", "guard", "invoice", "--for", "2d", "--reason", "x", dsn=dsn, code=1
    )
    agentdb("suspend", "guard", "invoice", dsn=dsn, code=2)


def crash(dsn: str) -> None:
    """Kill a session outright: the server ends all others and recovers from its log."""
    helper = "select pid from pg_stat_activity where backend_type = 'checkpointer'"
    with psycopg.connect(dsn, autocommit=True) as victim:
        former = value(victim, helper)
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        with suppress(psycopg.OperationalError):
            while True:
                victim.execute("select 1")
    while True:
        with (
            suppress(psycopg.OperationalError),
            psycopg.connect(dsn, connect_timeout=5, autocommit=True) as session,
        ):
            # A server that has not noticed yet takes connections still.
            if value(session, helper) != former:
                return


def test_crash_neither_ends_a_suspension_nor_begins_one() -> None:
    update = "update public.invoice set note = 'x'"
    with LocalServer(fast=True, settings={"synchronous_commit": "on"}) as server:
        install_on(server)
        dsn = server.dsn(database="agentdb")
        tell(dsn, PROTECTED, "select agentdb.register_agent('a', 'agent_a')")
        tell(dsn, "select agentdb.suspend('guard', 'public.invoice', 'broken')")
        half = psycopg.connect(dsn)
        half.execute("select agentdb.suspend('guard', 'public.part', 'broken')")
        crash(dsn)
        half.close()
        agents = server.dsn(database="agentdb", user="agent_a")
        with psycopg.connect(agents, autocommit=True) as agent:
            start(agent)
            agent.execute(update)
            assert refusal(agent, "update public.part set n = 5").sqlstate == "ZA050"
        tell(dsn, "select agentdb.unsuspend('guard', 'public.invoice', 'fixed')")
        crash(dsn)
        with psycopg.connect(agents, autocommit=True) as agent:
            assert refusal(agent, update).sqlstate == "ZA050"


def test_hint_about_a_table_that_is_protected_by_nothing_names_no_other(
    db: Connection,
) -> None:
    for what, table in (("guard", "public.report"), ("audit", "agentdb.agent")):
        hint = refusal(db, f"select agentdb.suspend('{what}', '{table}', 'r')")
        assert str(hint.message_hint).startswith("select table_name"), hint
    part = refusal(db, "select agentdb.suspend('guard', 'public.part_old', 'r')")
    assert "that of public.part can be" in str(part.message_hint)
