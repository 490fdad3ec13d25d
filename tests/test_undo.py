"""What was written is taken back: exactly, in any order of tables, over nobody's head."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from agentdb.demo import airline
from agentdb.demo.recording import Event, read
from agentdb.demo.replay import replay

from .agents import Row, refusal, register, row, rows, start, value
from .changes import TABLES, approve, latest
from .conftest import Connect, Connection

RECORDED = Path(__file__).parent / "data" / "airline"


@pytest.fixture
def audited(db: Connection) -> Connection:
    """Three audited tables that nothing guards."""
    db.execute(TABLES)
    for table in ("customer", "invoice", "line"):
        db.execute("select agentdb.audit_table(%s::regclass)", [table])
    register(db)
    return db


@pytest.fixture
def agent(audited: Connection, connect: Connect) -> Connection:
    return connect(audited.info.dbname, "agent_a")


@pytest.fixture
def operator(audited: Connection, connect: Connect) -> Connection:
    return connect(audited.info.dbname, "operator_o")


def contents(db: Connection) -> list[str]:
    query = " union all ".join(
        f"select t::text as t from public.{table} as t"
        for table in ("customer", "invoice", "line")
    )
    return sorted(each["t"] for each in rows(db, query))


def undo(
    session: Connection, what: str, key: object, on_conflict: str = "refuse"
) -> Row:
    """Undo, apply where that is possible at once, and return what came of it."""
    found = row(
        session,
        f"select * from agentdb.undo_{what}(%s, on_conflict => %s::text)",
        key,
        on_conflict,
    )
    if found["state"] == "approved":
        applied = "select state, problem from agentdb.apply_change(%s)"
        found |= row(session, applied, found["change_id"])
    return found


DEEDS = (
    "update invoice set state = 'paid', note = 'x'",
    "update invoice set amount = amount + 1 where id < 4",
    "delete from customer where id = 1",
    "insert into customer values (1, 'new'), (5, 'five')",
    "insert into invoice (id, customer, amount) values (50, 5, 1), (51, 1, 2)",
    "delete from invoice where id = 51",
    "delete from line where id in (1, 2)",
    "insert into line values (1, 50, 'again')",
    "update line set id = id + 100 where id > 2",
    "truncate line",
)


def test_run_is_undone_and_redone_exactly(
    audited: Connection, agent: Connection, operator: Connection
) -> None:
    before = contents(audited)
    audited.execute("grant truncate on line to agent_a")
    run = start(agent)
    for deed in DEEDS:
        agent.execute(deed.encode())
    after = contents(audited)
    undone = undo(operator, "run", run)
    assert undone["state"] == "applied"
    assert contents(audited) == before
    change = undone["change_id"]
    redone = undo(operator, "change", change)
    assert redone["state"] == "applied"
    assert contents(audited) == after
    assert undo(operator, "change", redone["change_id"])["state"] == "applied"
    assert contents(audited) == before
    again = row(operator, "select state, row_count from agentdb.undo_run(%s)", run)
    assert again["state"] == "withdrawn"


def test_row_and_transaction_are_undone_alone(
    audited: Connection, agent: Connection, operator: Connection
) -> None:
    start(agent)
    agent.execute("update invoice set note = 'one' where id = 1")
    agent.execute("update invoice set note = 'two' where id in (2, 3)")
    found = rows(
        audited, "select audit_log_id, xid::text from agentdb.audit order by 1"
    )
    undone = undo(operator, "transaction", found[1]["xid"])
    assert undone["row_count"] == 2
    assert undo(operator, "row", found[0]["audit_log_id"])["effects"] == {
        "public.invoice updated": 1
    }
    assert value(audited, "select count(note) from invoice") == 0
    told = rows(audited, "select undoes from agentdb.change order by change_id")
    assert told == [
        {"undoes": {"xid": found[1]["xid"]}},
        {"undoes": {"audit": str(found[0]["audit_log_id"])}},
    ]


def test_later_changes_of_others_are_named_skipped_or_overridden(
    audited: Connection, agent: Connection, operator: Connection, connect: Connect
) -> None:
    register(audited, "b", "agent_b")
    other = connect(audited.info.dbname, "agent_b")
    run, second = start(agent), start(other)
    agent.execute("update invoice set note = 'mine' where id in (1, 2, 3)")
    agent.execute("delete from invoice where id = 5")
    agent.execute("insert into customer values (7, 'seven'), (8, 'eight')")
    other.execute("update invoice set note = 'theirs' where id = 2")
    other.execute("delete from invoice where id = 3")
    other.execute("insert into invoice (id, customer, amount) values (5, 1, 5)")
    other.execute("update customer set name = 'acht' where id = 8")
    now = contents(audited)
    refused = undo(operator, "run", run)
    assert refused["state"] == "conflict"
    said = {
        (c["table"], c["key"]["id"]): (c["conflict"], c["by"]["run"])
        for c in refused["conflicts"]
    }
    assert said == {
        ("public.invoice", 2): ("was changed", second),
        ("public.invoice", 3): ("is gone", second),
        ("public.invoice", 5): ("exists already", second),
        ("public.customer", 8): ("was changed", second),
    }
    assert contents(audited) == now
    with operator.transaction(force_rollback=True):
        assert undo(operator, "run", run, "skip")["state"] == "applied"
        assert rows(
            operator, "select id, note from invoice where id < 4 order by id"
        ) == [
            {"id": 1, "note": None},
            {"id": 2, "note": "theirs"},
        ]
        assert rows(operator, "select id from customer where id > 6") == [{"id": 8}]
    overridden = undo(operator, "run", run, "override")
    assert overridden["state"] == "conflict"
    assert [c["key"]["id"] for c in overridden["conflicts"]] == [3]
    other.execute(
        "insert into invoice (id, customer, amount, note) values (3, 2, 30, 'z')"
    )
    assert undo(operator, "run", run, "override")["state"] == "applied"
    assert rows(
        audited, "select id, note, customer from invoice where id < 6 order by id"
    ) == [
        {"id": 1, "note": None, "customer": 2},
        {"id": 2, "note": None, "customer": 1},
        {"id": 3, "note": None, "customer": 2},
        {"id": 4, "note": None, "customer": 1},
        {"id": 5, "note": None, "customer": 2},
    ]
    assert rows(audited, "select id from customer where id > 6") == []


def test_rows_that_others_have_hung_on_it_are_not_taken_along(
    audited: Connection, agent: Connection, operator: Connection
) -> None:
    run = start(agent)
    agent.execute("insert into customer values (7, 'seven')")
    audited.execute("insert into invoice (id, customer, amount) values (70, 7, 1)")
    refused = undo(operator, "run", run)
    assert refused["state"] == "conflict"
    assert refused["conflicts"][0]["effects"] == {
        "public.customer deleted": 1,
        "public.invoice deleted": 1,
    }
    assert value(audited, "select count(*) from invoice where id = 70") == 1
    assert undo(operator, "run", run, "override")["state"] == "applied"
    assert value(audited, "select count(*) from invoice where id = 70") == 0


def test_undo_of_a_guarded_table_is_approved_like_any_change(
    audited: Connection, agent: Connection, operator: Connection, connect: Connect
) -> None:
    audited.execute("select agentdb.guard_table('invoice')")
    reviewer = connect(audited.info.dbname, "reviewer_r")
    run = start(agent)
    agent.execute("update agentdb_stage.invoice set note = 'x' where id < 4")
    assert approve(reviewer, latest(audited)["change_id"])["state"] == "applied"
    agent.execute("select agentdb.end_run()")
    found = undo(operator, "run", run)
    assert found["state"] == "pending"
    assert value(audited, "select count(note) from invoice") == 3
    call = f"select agentdb.apply_change({found['change_id']})"
    assert refusal(operator, call).sqlstate == "ZA053"
    call = f"select agentdb._end_apply_as_caller({found['change_id']}, 1, '{{}}', null)"
    assert refusal(operator, call).sqlstate == "ZA053"
    assert approve(reviewer, found["change_id"])["state"] == "applied"
    assert value(audited, "select count(note) from invoice") == 0
    redo = undo(operator, "change", found["change_id"])
    assert approve(reviewer, redo["change_id"])["state"] == "applied"
    assert value(audited, "select count(note) from invoice") == 3


def test_undo_needs_the_rights_it_uses(
    audited: Connection, agent: Connection, operator: Connection
) -> None:
    run = start(agent)
    agent.execute("update invoice set note = 'x'")
    for query in (f"select agentdb.undo_run({run})", "select agentdb.undo_row(1)"):
        assert refusal(agent, query).sqlstate == "42501"
    audited.execute("revoke update on invoice from operator_o")
    found = undo(operator, "run", run)
    assert found["state"] == "conflict"
    assert found["conflicts"][0]["sqlstate"] == "42501"
    assert value(audited, "select count(note) from invoice") == 6


def test_what_is_not_recorded_cannot_be_taken_back(
    audited: Connection, agent: Connection, operator: Connection
) -> None:
    audited.execute(
        "select agentdb.audit_table('invoice', redact => '{ref}', exclude => '{note}');"
        "create table heap (n int); grant insert on heap to agent_a;"
        "select agentdb.audit_table('heap')"
    )
    run = start(agent)
    agent.execute("update invoice set ref = 'secret', amount = 1 where id = 1")
    assert refusal(operator, f"select agentdb.undo_run({run})").sqlstate == "ZA056"
    agent.execute("select agentdb.end_run()")
    run = start(agent)
    agent.execute("delete from invoice where id = 2")
    assert refusal(operator, f"select agentdb.undo_run({run})").sqlstate == "ZA056"
    agent.execute("select agentdb.end_run()")
    run = start(agent)
    agent.execute("insert into heap values (1)")
    refused = refusal(operator, f"select agentdb.undo_run({run})")
    assert refused.sqlstate == "ZA056"
    assert "primary key" in (refused.message_primary or "")
    assert refusal(operator, "select agentdb.undo_run(4711)").sqlstate == "ZA056"
    assert refusal(operator, "select agentdb.undo_run(null)").sqlstate == "ZA004"
    query = f"select agentdb.undo_run({run}, on_conflict => 'ignore')"
    assert refusal(operator, query).sqlstate == "ZA004"


def test_column_that_is_gone_keeps_an_undo_from_guessing(
    audited: Connection, agent: Connection, operator: Connection
) -> None:
    run = start(agent)
    agent.execute("update invoice set note = 'x' where id = 1")
    audited.execute("alter table invoice drop column note; select agentdb.maintain(0)")
    refused = refusal(operator, f"select agentdb.undo_run({run})")
    assert refused.sqlstate == "ZA056"
    assert "note" in (refused.message_primary or "")


def test_table_altered_elsewhere_is_undone(
    audited: Connection, agent: Connection, operator: Connection
) -> None:
    before = contents(audited)
    run = start(agent)
    agent.execute("update invoice set note = 'x'; delete from invoice where id = 6")
    audited.execute(
        "alter table invoice add column extra int; select agentdb.maintain(0)"
    )
    assert undo(operator, "run", run)["state"] == "applied"
    audited.execute("alter table invoice drop column extra")
    assert contents(audited) == before


def test_unique_values_that_went_from_row_to_row_go_back(
    audited: Connection, agent: Connection, operator: Connection
) -> None:
    before = contents(audited)
    run = start(agent)
    for number in range(6, 0, -1):
        agent.execute("update invoice set ref = 'R' || id + 1 where id = %s", [number])
    after = contents(audited)
    undone = undo(operator, "run", run)
    assert undone["state"] == "applied"
    assert undone["effects"] == {"public.invoice updated": 6}
    assert contents(audited) == before
    assert undo(operator, "change", undone["change_id"])["state"] == "applied"
    assert contents(audited) == after


def test_run_is_undone_over_a_new_attachment(
    audited: Connection, agent: Connection, operator: Connection
) -> None:
    before = contents(audited)
    run = start(agent)
    agent.execute("update line set what = 'one' where id = 1")
    audited.execute("select agentdb.unaudit_table('line')")
    audited.execute("select agentdb.audit_table('line')")
    agent.execute("update line set what = 'two' where id = 1")
    assert undo(operator, "run", run)["state"] == "applied"
    assert contents(audited) == before


# The recorded runs of customer service agents.
def tables(db: Connection) -> list[str]:
    found = rows(
        db,
        "select u::text as t from airline.users as u"
        " union all select r::text from airline.reservations as r",
    )
    return sorted(each["t"] for each in found)


@pytest.fixture
def desk(db: Connection) -> Connection:
    register(db)
    airline.create(db, RECORDED, "agent_a", "operator_o")
    for table in airline.KEYS:
        db.execute("select agentdb.audit_table(%s::regclass)", [f"airline.{table}"])
    return db


def renamed(events: Iterable[Event], number: int) -> list[Event]:
    """Return what wrote, with ids that no other run has given to a new row."""
    writing = [event for event in events if event.get("writes")]
    text = json.dumps(writing)
    for event in writing:
        for write in event["writes"]:
            if write["op"] == "insert":
                new = write["row"][airline.KEYS[write["table"]]]
                text = text.replace(f'"{new}"', f'"{new}-{number}"')
    found: list[Event] = json.loads(text)
    return found


def test_recorded_runs_are_undone_one_by_one_and_in_reverse(
    desk: Connection, connect: Connect
) -> None:
    agent = connect(desk.info.dbname, "agent_a")
    operator = connect(desk.info.dbname, "operator_o")
    before = tables(desk)
    wrote: list[tuple[int, list[str]]] = []
    for name, events in read(RECORDED / "events.jsonl").items():
        run = replay(agent, name, renamed(events, len(wrote)))
        if not value(desk, "select count(*) from agentdb.run_changes(%s)", run):
            continue
        now = tables(desk)
        assert undo(operator, "run", run)["state"] == "applied"
        assert tables(desk) == (before if not wrote else wrote[-1][1])
        # It stays, as others would come after it.
        redo = latest(desk)["change_id"]
        assert undo(operator, "change", redo)["state"] == "applied"
        assert tables(desk) == now
        wrote.append((latest(desk)["change_id"], now))
    assert len(wrote) >= 50
    for change, now in reversed(wrote):
        assert tables(desk) == now
        assert undo(operator, "change", change)["state"] == "applied"
    assert tables(desk) == before


@pytest.mark.parametrize("open_to_agents", [False, True])
def test_trigger_that_names_no_schema_is_told_where_it_looks(
    db: Connection, connect: Connect, open_to_agents: bool
) -> None:
    right = "grant" if open_to_agents else "revoke"
    to = "to" if open_to_agents else "from"
    db.execute(f"{right} create on schema public {to} public".encode())
    db.execute("create table public.doc (id int primary key, n int not null)")
    db.execute("create table public.seen (id int)")
    db.execute(
        "create function public.see() returns trigger language plpgsql as $$"
        " begin insert into seen values (old.id); return null; end $$"
    )
    db.execute(
        "create trigger see after delete on public.doc for each row"
        " execute function public.see()"
    )
    db.execute("grant select, insert on public.doc to agent_a")
    db.execute("select agentdb.audit_table('public.doc')")
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    run = start(agent)
    agent.execute("insert into public.doc values (1, 1)")
    undone = row(db, "select state, conflicts from agentdb.undo_run(%s)", run)
    if not open_to_agents:
        assert undone["state"] == "approved"
        return
    assert undone["state"] == "conflict"
    [told] = undone["conflicts"]
    assert told["message"] == 'relation "seen" does not exist'
    assert "revoke create on schema public from public" in told["detail"]
