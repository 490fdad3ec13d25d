"""What is done to a table's protection is repaired where that is safe, else named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentdb.schema import install as installation

from .agents import age, labels, refusal, register, row, rows, start, value
from .conftest import INSTALLER, Connect, Connection
from .servers import Server
from .test_record import audit, kept, past

MAINTAIN = "select action, object from agentdb.maintain_tables()"
GAPS = "select ended_at is null as open, reason from agentdb.recording_gap"


@pytest.fixture
def table(db: Connection) -> Connection:
    db.execute("create table t (id int primary key, n int default 0)")
    db.execute("insert into t values (1), (2)")
    audit(db)
    return db


def refused(db: Connection, at: Any) -> str:
    said = refusal(db, "select agentdb.table_as_of('t', %s)", at)
    assert said.sqlstate == "ZA033"
    return said.message_primary or ""


@pytest.mark.parametrize(
    "damage",
    [
        "alter table t disable trigger all; {write}; alter table t enable trigger all",
        "alter table t disable trigger user; {write}; alter table t enable trigger user",
        "drop trigger agentdb_audit_update on t; {write}",
        "alter table t enable replica trigger agentdb_audit_update; {write}",
        "drop function agentdb._capture_1() cascade; {write}",
    ],
)
def test_lost_triggers_come_back_and_leave_a_named_gap(
    table: Connection, damage: str
) -> None:
    at, _ = kept(table)
    table.execute(damage.format(write="update t set n = 7").encode())
    assert "may not have been recorded" in refused(table, at)
    table.execute(MAINTAIN)
    assert value(table, "select fault from agentdb.audited_table") is None
    refused(table, at)
    assert row(table, GAPS)["open"] is False
    at, image = kept(table)
    table.execute("update t set n = 8")
    assert past(table, at) == image
    query = "select count(*) from agentdb.row_history('t', '1')"
    assert value(table, f"{query} where operation = 'not recorded'") == 1


def test_disabled_and_enabled_between_two_looks_is_a_gap(table: Connection) -> None:
    at, _ = kept(table)
    for look in (False, True):
        table.execute(
            "alter table t disable trigger agentdb_audit_update; insert into t values"
            f" ({7 + look}); update t set n = 3 where id = 1;"
            "alter table t enable always trigger agentdb_audit_update"
        )
        assert "switched off or made again" in refused(table, at)
        table.execute(MAINTAIN)
        assert "switched off or made again" in refused(table, at)
    assert [each["open"] for each in rows(table, GAPS)] == [False, False]
    assert labels(table, "audit_gap") == []
    assert labels(table, "record_gap") == [{"table": "public.t"}]
    a_minute_ago = value(table, "select (now() - interval '1 minute')::text")
    assert labels(table, "record_gap", a_minute_ago) == []
    for column in ("began_at", "noticed_at", "ended_at"):
        age(table, "record_fault", column, "61 minutes")
    assert labels(table, "record_gap") == []


def test_what_somebody_disabled_stays_disabled_and_is_reported(
    table: Connection,
) -> None:
    table.execute("alter table t disable trigger agentdb_audit_update")
    table.execute(MAINTAIN)
    table.execute(MAINTAIN)
    fault = value(table, "select fault from agentdb.audited_table")
    assert fault == "trigger agentdb_audit_update on t is disabled"
    assert labels(table, "audit_gap") == [{"table": "public.t"}]
    assert [each["open"] for each in rows(table, GAPS)] == [True]


@pytest.mark.parametrize("maintenance", ["vacuum full t", "cluster t using t_pkey",
    "reindex table t", "analyze t", "grant select on t to public",
    "alter table t set (fillfactor = 50)", "alter table t alter n set default 5",
    "create index on t (n)", "alter table t alter n set statistics 7"])  # fmt: skip
def test_upkeep_is_no_gap(table: Connection, maintenance: str) -> None:
    at, image = kept(table)
    table.execute(maintenance.encode())
    table.execute("update t set n = 3")
    assert past(table, at) == image
    table.execute(MAINTAIN)
    assert past(table, at) == image
    assert rows(table, GAPS) == []


def test_unlogged_table_is_a_gap_until_it_is_logged_again(table: Connection) -> None:
    at, _ = kept(table)
    table.execute("alter table t set unlogged")
    assert "unlogged" in value(table, "select fault from agentdb.audited_table")
    assert "unlogged" in refused(table, at)
    table.execute(MAINTAIN)
    table.execute("alter table t set logged")
    table.execute(MAINTAIN)
    assert value(table, "select fault from agentdb.audited_table") is None
    refused(table, at)
    at, image = kept(table)
    table.execute("delete from t")
    assert past(table, at) == image


REBUILT = [
    "create table fresh (like t including all); insert into fresh select * from t;"
    "drop table t; alter table fresh rename to t",
    "create table fresh (like t including all); alter table t rename to t_old;"
    "alter table fresh rename to t",
    "drop table t; create table t (id int primary key, n int)",
]


@pytest.mark.parametrize("rebuild", REBUILT)
def test_rebuilt_table_is_reported_until_it_is_audited(
    table: Connection, rebuild: str
) -> None:
    table.execute(rebuild.encode())
    for _ in range(2):
        found = rows(table, "select table_name, fault from agentdb.audit_fault")
        assert any("another table now" in each["fault"] for each in found)
        assert {"table": "public.t"} in labels(table, "audit_gap")
        table.execute(MAINTAIN)
    audit(table)
    assert rows(table, "select * from agentdb.audit_fault") == []


def test_table_that_was_unaudited_and_dropped_is_nobodys_business(
    table: Connection,
) -> None:
    table.execute("select agentdb.unaudit_table('t'); drop table t; create table t ()")
    table.execute(MAINTAIN)
    assert rows(table, "select * from agentdb.audit_fault") == []


@pytest.fixture
def partitioned(db: Connection) -> Connection:
    db.execute(
        "create table t (id int primary key, n int) partition by range (id);"
        "create table t1 partition of t for values from (0) to (10);"
        "insert into t values (1, 1), (2, 2)"
    )
    audit(db)
    return db


def test_new_partition_is_no_gap_and_is_covered(partitioned: Connection) -> None:
    db = partitioned
    at, image = kept(db)
    db.execute("create table t2 partition of t for values from (10) to (20)")
    db.execute("insert into t values (11, 1); update t set id = 12 where id = 2")
    assert past(db, at) == image
    db.execute(MAINTAIN)
    assert past(db, at) == image
    assert rows(db, "select * from agentdb.audit_fault") == []
    at, image = kept(db)
    db.execute("truncate t2")
    assert past(db, at) == image


def test_partition_truncated_before_it_was_covered_is_a_gap(
    partitioned: Connection,
) -> None:
    db = partitioned
    db.execute("create table t2 partition of t for values from (10) to (20)")
    db.execute("insert into t values (11, 1)")
    at, _ = kept(db)
    db.execute("truncate t2")
    for _ in range(2):
        assert "truncated" in refused(db, at)
        db.execute(MAINTAIN)


@pytest.mark.parametrize(
    "change",
    [
        "alter table t detach partition t1",
        "drop table t1",
        "alter table t detach partition t1;"
        "alter table t attach partition other for values from (0) to (10)",
        "alter table t attach partition other for values from (20) to (30)",
    ],
)
def test_rows_that_came_or_went_with_a_partition_are_refused(
    partitioned: Connection, change: str
) -> None:
    db = partitioned
    db.execute("create table other (n int, id int not null)")
    first = 0 if "(0)" in change else 20
    db.execute(f"insert into other values (5, {first + 5})".encode())
    at, _ = kept(db)
    db.execute(change.encode())
    for _ in range(2):
        refused(db, at)
        db.execute(MAINTAIN)
    at, image = kept(db)
    db.execute(
        "insert into t values (6, 6)" if first == 0 and "other" in change else ""
    )
    assert past(db, at) == image


PROTECT = (
    "create table f (id int primary key); create table p (id int primary key)"
    " partition by range (id); create table p1 partition of p for values from (0) to (9);"
    "select agentdb.fence_table('public.f', 'nightly'),"
    " agentdb.fence_table('public.p', 'daily')"
)


@pytest.mark.parametrize(
    "damage",
    [
        "drop trigger agentdb_fence on f",
        "alter table f disable trigger all; alter table f enable trigger all",
        "drop trigger agentdb_fence on p",
        "drop trigger agentdb_fence_truncate on p1",
        "create table p2 partition of p for values from (10) to (20)",
    ],
)
def test_fence_that_lost_a_trigger_is_named_and_put_back(
    db: Connection, connect: Connect, server: Server, damage: str
) -> None:
    register(db)
    db.execute(PROTECT)
    db.execute("grant all on f, p to agent_a")
    assert rows(db, "select * from agentdb.fence_fault") == []
    db.execute(damage.encode())
    (fault,) = {e["table_name"] for e in rows(db, "select * from agentdb.fence_fault")}
    assert fault in ("public.f", "public.p")
    doctor = "select detail from agentdb.doctor where check_name = 'triggers'"
    assert fault in str(rows(db, doctor))
    dsn = server.dsn(database=db.info.dbname, user=INSTALLER)
    assert any(line.startswith(f"fence of {fault}") for line in
               installation.differences(dsn))  # fmt: skip
    db.execute(MAINTAIN)
    assert rows(db, "select * from agentdb.fence_fault") == []
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    for write in ("insert into f values (1)", "insert into p values (1)",
                  "truncate p"):  # fmt: skip
        assert refusal(agent, write).sqlstate == "ZA020"


def test_guard_that_lost_its_triggers_is_put_back(
    guarded: Connection, connect: Connect
) -> None:
    agent = connect(guarded.info.dbname, "agent_a")
    start(agent)
    guarded.execute("grant update on invoice to agent_a")
    guarded.execute(
        'drop trigger "00_agentdb_guard" on invoice;'
        "alter table customer disable trigger all;"
        "alter table customer enable trigger all"
    )
    assert len(rows(guarded, "select * from agentdb.guard_fault")) > 1
    guarded.execute(MAINTAIN)
    assert rows(guarded, "select * from agentdb.guard_fault") == []
    assert refusal(agent, "update invoice set note = 'x'").sqlstate == "ZA050"


def test_runner_without_the_right_says_what_to_call(
    table: Connection, connect: Connect
) -> None:
    table.execute("alter table t disable trigger all; alter table t enable trigger all")
    operator = connect(table.info.dbname, "operator_o")
    assert rows(operator, MAINTAIN) == []
    (fix,) = {
        each["fix"]
        for each in rows(operator, "select * from agentdb.doctor")
        if each["check_name"] == "triggers"
    }
    assert "select * from agentdb.audit_table('public.t');" in fix
    table.execute("alter table t owner to operator_o")
    assert [each["action"] for each in rows(operator, MAINTAIN)] == [
        "audit put in place again"
    ]
    assert value(table, "select fault from agentdb.audited_table") is None


@pytest.mark.parametrize("args", ["a\x00b", "\ud800", "x\udc00y", "\ud83d\ude00"])
def test_arguments_that_jsonb_cannot_hold_lose_no_event(
    agent: Connection, db: Connection, args: str
) -> None:
    given = json.dumps({"q": args})
    call = "select agentdb.log_tool_call('search', agentdb.clean_json(%s::text))"
    agent.execute(call, [given])
    many = json.dumps([{"tool": "search", "args": {"q": args}}, {"tool": "send"}])
    agent.execute(
        "select agentdb.log_tool_call_many(agentdb.clean_json(%s::text))", [many]
    )
    found = rows(db, "select args ->> 'q' as q from agentdb.tool_call_log order by 1")
    pairs = args.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    expected = pairs.replace("\x00", "\ufffd")
    assert [each["q"] for each in found] == [expected, expected, None]


@pytest.mark.parametrize("args", ["[" * 100_000, "no json", '{"a": ', '"\\x"'])
def test_arguments_that_are_no_json_are_kept_as_their_beginning(
    agent: Connection, db: Connection, args: str
) -> None:
    agent.execute(
        "select agentdb.log_tool_call('search', agentdb.clean_json(%s::text))", [args]
    )
    found = value(db, "select args from agentdb.tool_call_log")
    assert found["head"] == args[:1000] and found["bytes"] == len(args)
