"""Changes from the command line: listed, read in ten seconds, decided, taken back."""

from __future__ import annotations

import json

import pytest

from .agents import register, row, start, value
from .changes import TABLES, latest
from .conftest import Connect, Connection
from .servers import Server
from .test_cli import agentdb


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent that has staged an update, an insert and a delete."""
    db.execute(TABLES)
    db.execute(
        "select agentdb.guard_table('invoice', context => '{customer}'),"
        " agentdb.audit_table('customer')"
    )
    register(db, "billing")
    session = connect(db.info.dbname, "agent_a")
    session.execute("set search_path = agentdb_stage, public")
    start(session, purpose="settle May")
    with session.transaction():
        session.execute(
            "update invoice set note = E'two\\nlines', state = 'paid' where id = 1"
        )
        session.execute(
            "insert into invoice (id, customer, amount) values (50, 1, 9.5)"
        )
        session.execute("delete from invoice where id = 6")
    return session


@pytest.fixture
def reviewer(db: Connection, server: Server) -> str:
    return server.dsn(database=db.info.dbname, user="reviewer_r")


@pytest.fixture
def operator(db: Connection, server: Server) -> str:
    return server.dsn(database=db.info.dbname, user="operator_o")


def test_list_and_diff_of_a_change(
    db: Connection, agent: Connection, reviewer: str, operator: str
) -> None:
    for dsn in (reviewer, operator):
        said = agentdb("changes", dsn=dsn)
        assert "settle May" in said
        assert "pending" in said
    said = agentdb("change", "show", "1", dsn=reviewer)
    expected = """\
change 1 by billing, run 1: pending
  why      settle May
  effects  public.invoice deleted 1, public.invoice inserted 1, public.invoice updated 1
"""
    assert said.startswith(expected)
    assert (
        """\
update public.invoice id 1  (customer 2)
  note   NULL  →  two⏎lines
  state  open  →  paid
insert public.invoice id 50
  amount    9.50
  customer  1
  state     open
delete public.invoice id 6
  amount    60.00
  customer  1
  ref       R6
  state     open
"""
        in said
    )
    assert "  needs    1 approval\n" in said
    digest = latest(db)["digest"]
    assert f"next: agentdb approve 1 --digest {digest}" in said
    shown = json.loads(agentdb("change", "show", "1", "--json", dsn=reviewer))
    assert shown["change"][0]["digest"] == digest
    assert len(shown["rows"]) == 3
    assert "show_change_rows" in agentdb("change", "show", "1", "--sql", dsn=reviewer)
    assert "there is no change 9" in agentdb(
        "change", "show", "9", dsn=reviewer, code=1
    )


def test_deciding(
    db: Connection, agent: Connection, reviewer: str, operator: str
) -> None:
    assert "--digest" in agentdb("approve", "1", dsn=reviewer, code=2)
    digest = latest(db)["digest"]
    said = agentdb("approve", "1", "--digest", "beef", dsn=reviewer, code=1)
    assert "not what was reviewed" in said
    said = agentdb("approve", "1", "--digest", digest, dsn=operator, code=1)
    assert "hint: A member of agentdb_reviewer" in said
    said = agentdb(
        "approve", "1", "--digest", digest, "--comment", "fine", dsn=reviewer
    )
    assert said == "change 1: applied\napproving change 1: 3 rows of 1 table …\n"
    agent.execute("update invoice set note = 'x' where id = 2")
    said = agentdb("reject", "2", "--reason", "which x?", dsn=reviewer)
    assert said == "change 2: rejected\n"
    agent.execute("update invoice set note = 'x' where id = 2")
    db.execute("update public.invoice set note = 'mine' where id = 2")
    digest = latest(db)["digest"]
    said = agentdb("approve", "3", "--digest", digest, dsn=reviewer, code=1)
    assert (
        "conflict: public.invoice id 2 was changed by postgres;"
        " note was expected to be NULL and is mine" in said
    )
    # Whoever looks later reads what was in the way, too.
    assert (
        "was changed by postgres; note was expected to be NULL and is mine"
        in agentdb("change", "show", "3", dsn=reviewer)
    )
    assert "none is waiting" in agentdb("changes", dsn=reviewer)
    assert "rejected" in agentdb("changes", "--all", dsn=reviewer)


def test_change_that_builds_on_another_says_what_became_of_that(
    agent: Connection, reviewer: str
) -> None:
    agent.execute("update invoice set note = 'x' where id = 1")
    agentdb("reject", "1", "--reason", "no", dsn=reviewer)
    said = agentdb("change", "show", "2", dsn=reviewer)
    assert "  after    change 1 (rejected)\n" in said


def test_undo_of_a_guarded_table_says_that_it_waits(
    db: Connection, agent: Connection, reviewer: str, operator: str
) -> None:
    agentdb("approve", "1", "--digest", latest(db)["digest"], dsn=reviewer)
    said = agentdb("undo", "1", "--dry-run", dsn=operator)
    assert "dry run: nothing was changed; without --dry-run" in said
    said = agentdb("undo", "1", "--apply", dsn=operator)
    assert "change 3: pending\n" in said
    assert "somebody else must approve it\nnext: agentdb change show 3\n" in said


def test_undo_shows_the_diff_and_leaves_no_trace(
    db: Connection, agent: Connection, operator: str
) -> None:
    agent.execute("update public.customer set name = 'new' where id = 2")
    said = agentdb("undo", "R-1", "--dry-run", dsn=operator)
    assert said == (
        "update public.customer id 2\n  name  new  →  bolt\n"
        "dry run: nothing was changed; --apply instead takes it back\n"
        "undoing run 1: 1 row of 1 table …\n"
    )
    assert value(db, "select count(*) from agentdb.change") == 1
    said = agentdb("undo", "1", "--reason", "wrong", "--apply", dsn=operator)
    assert "change 3: applied\n" in said
    found = row(db, "select name from customer where id = 2")
    assert found == {"name": "bolt"}
    said = agentdb("undo", "3", "--change", "--apply", dsn=operator)
    assert "change 4: applied\n" in said
    db.execute("update customer set name = 'other' where id = 2")
    said = agentdb("undo", "1", dsn=operator, code=1)
    assert "conflict: public.customer id 2 was changed by postgres" in said
    said = agentdb("undo", "1", "--on-conflict", "override", "--apply", dsn=operator)
    assert "change 6: applied" in said
    said = agentdb("undo", "9", "--row", "--xid", dsn=operator, code=2)
    assert "exclude each other" in said
    xid = value(db, "select min(xid::text::bigint) from agentdb.audit")
    write = value(db, "select max(audit_log_id) from agentdb.audit")
    assert "dry run" in agentdb("undo", str(write), "--row", "--dry-run", dsn=operator)
    said = agentdb("undo", str(xid), "--xid", "--dry-run", dsn=operator)
    assert "dry run: nothing is left to take back" in said


def test_reader_sees_what_is_there(
    db: Connection, agent: Connection, reviewer: str, operator: str
) -> None:
    agent.execute(
        "select agentdb.open_change(E'fine\\n  effects  nothing\\n\\nnext: agentdb approve 9')"
    )
    db.execute("update invoice set note = repeat('a', 300) || 'x' where id = 2")
    db.execute("update invoice set note = E'a\\u200bb' where id = 4")
    for number, note in (
        (2, "a" * 300 + "y" * 200),
        (3, "NULL"),
        (4, "a\u200db"),
        (5, " x  →  y"),
    ):
        agent.execute("update invoice set note = %s where id = %s", [note, number])
    agent.execute(
        "insert into invoice (id, customer, amount, note) values (60, 1, 1, %s)",
        ["q" * 500],
    )
    agent.execute("select agentdb.submit_change()")
    said = agentdb("change", "show", "2", dsn=reviewer)
    assert "why      fine⏎  effects  nothing⏎⏎next: agentdb approve 9\n" in said
    assert (
        f"…{'a' * 20}x  →  …{'a' * 20}{'y' * 79}… (121 more characters: --json)\n"
        in said
    )
    assert "note  NULL  →  'NULL'\n" in said
    assert "note  'a\\u200bb'  →  'a\\u200db'\n" in said
    assert "note  NULL  →  ' x  →  y'\n" in said
    assert f"note      {'q' * 100}… (400 more characters: --json)\n" in said
    said = agentdb("change", "show", "2", "--limit", "1", dsn=reviewer)
    assert "… and 4 rows more; see --limit\n" in said
    agentdb("change", "show", "9" * 30, dsn=reviewer, code=2)


def test_audit_shows_numbers_as_they_are_and_any_json(
    db: Connection, agent: Connection, operator: str
) -> None:
    db.execute(
        "create table public.figure (id int primary key, n numeric, j jsonb);"
        "select agentdb.audit_table('figure');"
        "insert into figure values (1, 1234567890123.10, '{}')"
    )
    db.execute(
        "update figure set n = 1234567890123.1;"
        "update figure set j = (repeat('[', 3000) || repeat(']', 3000))::jsonb"
    )
    said = agentdb("audit", "figure", dsn=operator)
    assert "  - n: 1234567890123.10\n  + n: 1234567890123.1\n" in said
    assert "  + j: [[[" in said
    assert "[[[" in agentdb("audit", "figure", "--json", dsn=operator)
    assert '"n": 1234567890123.10\n' in agentdb(
        "audit", "figure", "--json", dsn=operator
    )
    then = value(db, "select min(recorded_at)::text from agentdb.audit")
    said = agentdb("audit", "figure", "--at", then, dsn=operator, code=1)
    assert "hint: Ask the owner of figure for the right.\n" in said
    db.execute("grant select on figure to operator_o")
    said = agentdb("audit", "figure", "--at", then, dsn=operator)
    assert '"n": 1234567890123.10' in said
    assert 'update {"id": 1}' in agentdb("audit", "figure", "1", dsn=operator)


def test_table_with_capitals_is_named_as_a_shell_wants_it(
    db: Connection, operator: str
) -> None:
    db.execute('create table public."Ticket" (id int primary key)')
    db.execute("select agentdb.audit_table('\"Ticket\"')")
    said = agentdb("audit", "public.Ticket", dsn=operator, code=1)
    assert "hint: is it this one?  agentdb audit 'public.\"Ticket\"'\n" in said
    assert "no change is recorded" in agentdb("audit", 'public."Ticket"', dsn=operator)


def test_many_conflicts_are_cut(
    db: Connection, agent: Connection, operator: str
) -> None:
    db.execute(
        "create table public.many (id int primary key, n numeric);"
        "insert into many select g, 1 from generate_series(1, 60) as g;"
        "grant select, update on many to agent_a, operator_o;"
        "select agentdb.audit_table('many')"
    )
    agent.execute("update public.many set n = 2")
    db.execute("update many set n = 3")
    said = agentdb("undo", "1", dsn=operator, code=1)
    assert "n was expected to be 2 and is 3, would be 1\n" in said
    assert "… and 10 conflicts more\n" in said


def test_conflict_shows_was_is_would_be_and_the_ways_on(
    db: Connection, agent: Connection, reviewer: str, operator: str
) -> None:
    agent.execute("update invoice set note = 'mine' where id = 2")
    db.execute("update public.invoice set note = 'theirs' where id = 2")
    said = agentdb("change", "show", "2", dsn=reviewer)
    assert "note was expected to be NULL and is theirs, would be mine" in said
    assert "next: agentdb change rebase 2 --keep-theirs\n" in said
    assert "next: agentdb approve" not in said
    said = agentdb("change", "rebase", "2", dsn=reviewer, code=1)
    assert "others have written what change 2 writes" in said
    said = agentdb(
        "change", "rebase", "2", "--override", "--reason", "settled", dsn=reviewer
    )
    assert "change 2 is staged anew as change 3\nnext: agentdb approve 3\n" in said
    said = agentdb("change", "show", "3", dsn=reviewer)
    assert "  anew     change 2 by reviewer_r, theirs written over: settled\n" in said
    assert "  now      change 3\n" in agentdb("change", "show", "2", dsn=operator)
    digest = latest(db)["digest"]
    agentdb("approve", "3", "--digest", str(digest), dsn=reviewer)
    assert value(db, "select note from public.invoice where id = 2") == "mine"


@pytest.mark.parametrize(
    "options", [["--keep-theirs", "--override", "--reason", "x"], ["--override"]]
)
def test_rebase_says_which_options_go_together(
    agent: Connection, reviewer: str, options: list[str]
) -> None:
    said = agentdb("change", "rebase", "1", *options, dsn=reviewer, code=2)
    assert "--override" in said


def test_change_is_withdrawn_and_applied_by_command(
    db: Connection, agent: Connection, reviewer: str, operator: str
) -> None:
    assert "change 1: withdrawn" in agentdb("change", "withdraw", "1", dsn=operator)
    db.execute("select agentdb.guard_table('invoice', apply => 'hand')")
    agent.execute("update invoice set note = 'mine' where id = 2")
    digest = str(latest(db)["digest"])
    assert "approved" in agentdb("approve", "2", "--digest", digest, dsn=reviewer)
    assert "change 2: applied" in agentdb("change", "apply", "2", dsn=operator)
    assert value(db, "select note from public.invoice where id = 2") == "mine"


def test_what_a_change_rests_on_is_shown(
    db: Connection, agent: Connection, reviewer: str
) -> None:
    db.execute("select agentdb.guard_table('customer')")
    with agent.transaction():
        agent.execute("select agentdb.stage_reads('public.customer', '{\"id\": 1}')")
        agent.execute("update invoice set note = 'mine' where id = 2")
    said = agentdb("change", "show", "2", dsn=reviewer)
    assert "read public.customer id 1\n  name  acme\n" in said
    assert "rows more" not in said


def test_who_waits_for_a_change_is_woken_by_whoever_decides(
    db: Connection, agent: Connection, reviewer: str
) -> None:
    agent.execute("listen agentdb_change")
    agentdb("reject", "1", "--reason", "no", dsn=reviewer)
    heard = [each.payload for each in agent.notifies(timeout=30, stop_after=1)]
    assert heard == ["1"]
