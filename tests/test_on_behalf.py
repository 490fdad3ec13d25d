"""On whose behalf: what a run says of it is beside agent and run wherever they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentdb.channels.alertmanager import alert
from agentdb.channels.text import lines, subject

from .agents import register, row, rows, start, value
from .alerts import deliver, fire, make_rule, receiver
from .changes import approve, latest
from .conftest import Connect, Connection
from .delivery import NOTIFICATION
from .page import Browser, log_in, paging
from .servers import Server
from .test_cli import agentdb
from .test_intake import event, intake, record
from .test_page import words

TICKET = "ticket 4711"
# Another colour, a line of ours, a mark that turns the line around, markup, a mention.
__all__ = ["intake"]
EVIL = "\x1b[31m\u202eann\nnext: agentdb kill 1\t<b>@all</b> [x](https://evil.test)"


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    guarded.execute(
        "create table public.memo (id int primary key, said text);"
        "grant insert on memo to agent_a; grant select on memo to operator_o"
    )
    guarded.execute("select agentdb.audit_table('memo')")
    session = connect(guarded.info.dbname, "agent_a")
    session.execute("set search_path = agentdb_stage, public")
    return session


@pytest.fixture
def operator(server: Server, guarded: Connection) -> str:
    return server.dsn(database=guarded.info.dbname, user="operator_o")


@pytest.fixture
def url(server: Server, guarded: Connection) -> Iterator[str]:
    with paging(server, guarded) as found:
        yield found


def work(agent: Connection, on_behalf_of: str) -> int:
    """Start a run that writes one table and proposes a change of another."""
    run = start(agent, purpose="settle May", on_behalf_of=on_behalf_of)
    agent.execute("insert into public.memo values (1, 'paid')")
    agent.execute("update invoice set state = 'paid' where id = 1")
    return run


def test_records_and_changes_show_it(
    guarded: Connection, agent: Connection, connect: Connect, operator: str
) -> None:
    run = work(agent, TICKET)
    number = latest(guarded)["change_id"]
    reviewer = connect(guarded.info.dbname, "reviewer_r")
    for query in ("agentdb.show_change(%s)", "agentdb.waiting_changes() where %s > 0"):
        asked = f"select on_behalf_of from {query}"
        assert value(reviewer, asked, number) == TICKET
    assert f"by a, run {run}, for {TICKET}: pending" in agentdb(
        "change", "show", str(number), dsn=operator
    )
    assert TICKET in agentdb("changes", dsn=operator)
    approve(reviewer, number)
    query = "select distinct run_id, on_behalf_of from agentdb.audit"
    assert row(guarded, query) == {"run_id": run, "on_behalf_of": TICKET}
    for table in ("memo", "invoice"):
        query = f"select on_behalf_of from agentdb.row_history('{table}', '1')"
        assert value(guarded, query) == TICKET
        assert f"by run {run} of a for {TICKET}" in agentdb(
            "audit", table, "1", dsn=operator
        )


def test_the_course_of_a_run_shows_it(
    guarded: Connection, agent: Connection, operator: str
) -> None:
    run = work(agent, TICKET)
    told = "select what from agentdb.timeline(%s) where kind = 'start'"
    assert value(guarded, told, run) == f"settle May (says it works for {TICKET})"
    for command in ("why", "timeline", "report"):
        assert TICKET in agentdb(command, str(run), dsn=operator)


def test_pages_show_it(
    guarded: Connection, agent: Connection, connect: Connect, url: str
) -> None:
    run = work(agent, TICKET)
    number = latest(guarded)["change_id"]
    make_rule(guarded)
    (key,) = fire(guarded, "a", agent="a", run=str(run))
    desk = log_in(url, guarded, connect, "reviewer_r")
    for path in ("/changes", f"/change/{number}"):
        assert f"for {TICKET}" in words(desk.get(path).text)
    ann = log_in(url, guarded, connect, "operator_o")
    for path in (
        "/", f"/run/{run}", f"/run/{run}/tree", f"/audit?run={run}",
        "/audit?table=public.memo&key=1", f"/alert/{key}",
    ):  # fmt: skip
        assert f"for {TICKET}" in words(ann.get(path).text), path


@pytest.mark.parametrize("more", [(), ("y", "z")])
def test_a_message_says_that_the_agent_says_so(
    db: Connection, connect: Connect, server: Server, more: tuple[str, ...]
) -> None:
    register(db)
    run = start(connect(db.info.dbname, "agent_a"), on_behalf_of=TICKET)
    make_rule(db)
    receiver(db, "phone")
    key, *_ = fire(db, "x", *more, agent="a", run=str(run))
    told = {each["receiver_name"]: each["payload"] for each in deliver(db)}["phone"]
    assert told["on_behalf_of"] == TICKET
    assert subject(told).startswith("[WARN] late ")
    assert f"agent=a run={run} (says it works for {TICKET})" in subject(told)
    assert ("who=x" in subject(told)) == (not more)
    query = "select on_behalf_of from agentdb.active_alert where alert_id = %s"
    assert value(db, query, key) == TICKET
    dsn = server.dsn(database=db.info.dbname, user="operator_o")
    said = agentdb("why", f"A-{key}", dsn=dsn)
    assert f"says_it_works_for  {TICKET}" in said
    fire(db)
    ends = [each["payload"] for each in deliver(db)]
    assert {each.get("on_behalf_of") for each in ends} == {TICKET}


def test_a_message_about_a_run_that_says_nothing_says_nothing(
    db: Connection, connect: Connect
) -> None:
    register(db)
    run = start(connect(db.info.dbname, "agent_a"), on_behalf_of="  ")
    make_rule(db)
    receiver(db, "phone")
    fire(db, "x", agent="a", run=str(run))
    fire(db, "z", agent="a", run="99999999999999999999")
    for each in deliver(db):
        assert "on_behalf_of" not in each["payload"]
        assert "works for" not in "\n".join(lines(each["payload"]))


def test_what_it_says_stays_in_its_place(
    guarded: Connection, agent: Connection, connect: Connect, operator: str, url: str
) -> None:
    run = work(agent, EVIL)
    number = latest(guarded)["change_id"]
    make_rule(guarded)
    receiver(guarded, "phone")
    (key,) = fire(guarded, "x", agent="a", run=str(run))
    (told,) = (p["payload"] for p in deliver(guarded) if p["receiver_name"] == "phone")
    said = "\n".join(lines(told))
    assert "@all" not in said and "<b>" not in said and "://" not in said
    said += str(alert(NOTIFICATION)) + agentdb("why", str(run), dsn=operator)
    for command in (
        ["why", f"A-{key}"], ["changes"], ["change", "show", str(number)],
        ["audit", "memo", "1"], ["timeline", str(run)], ["report", str(run)],
    ):  # fmt: skip
        said += agentdb(*command, dsn=operator)
    assert "works for \ufffd" in said
    assert not {"\x1b", "\u202e", "\t"} & set(said)
    assert not [
        each for each in said.splitlines() if each.startswith("next: agentdb kill")
    ]
    ann: Browser = log_in(url, guarded, connect, "operator_o")
    for path in ("/", f"/run/{run}", f"/run/{run}/tree", f"/audit?run={run}"):
        assert "<b>@all" not in ann.get(path).text


def test_ten_megabytes_are_two_hundred_characters(
    db: Connection, connect: Connect
) -> None:
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session, on_behalf_of="\u202e" * 10_000_000)
    assert value(db, "select on_behalf_of from agentdb.run") == "\ufffd" * 200


def test_who_is_started_with_a_token_works_for_whom_the_starter_does(
    db: Connection, connect: Connect
) -> None:
    register(db)
    register(db, "b", "agent_b")
    session, other = (connect(db.info.dbname, f"agent_{name}") for name in "ab")
    root = start(session, on_behalf_of=TICKET)
    token = "select agentdb.spawn_token(%s)"
    child = start(other, spawn_token=value(session, token, root))
    grandchild = start(other, spawn_token=value(other, token, child))
    mine = start(
        other, spawn_token=value(session, token, root), on_behalf_of="ticket 9"
    )
    alone = start(other)
    query = "select run_id, on_behalf_of from agentdb.run_summary"
    found = {each["run_id"]: each["on_behalf_of"] for each in rows(db, query)}
    assert found == {
        root: TICKET, child: TICKET, grandchild: TICKET, mine: "ticket 9", alone: None
    }  # fmt: skip


FAMILY = """
select depth, run_id, parent_run_id, parent_is, agent_name
from agentdb.run_family(%s)
"""


def test_tree_is_asked_in_both_directions(
    db: Connection, connect: Connect, server: Server
) -> None:
    register(db)
    register(db, "b", "agent_b")
    session, other = (connect(db.info.dbname, f"agent_{name}") for name in "ab")
    root = start(session, on_behalf_of=TICKET)
    token = "select agentdb.spawn_token(%s)"
    child = start(other, spawn_token=value(session, token, root))
    start(other, spawn_token=value(session, token, root))
    grandchild = start(session, spawn_token=value(other, token, child))
    operator = connect(db.info.dbname, "operator_o")
    found = [list(each.values()) for each in rows(operator, FAMILY, child)]
    assert found == [
        [-1, root, None, None, "a"],
        [0, child, root, "proven", "b"],
        [1, grandchild, child, "proven", "a"],
    ]
    assert [e["depth"] for e in rows(operator, FAMILY, grandchild)] == [-2, -1, 0]
    assert [e["depth"] for e in rows(operator, FAMILY, root)] == [0, 1, 1, 2]
    dsn = server.dsn(database=db.info.dbname, user="operator_o")
    said = agentdb("why", str(child), dsn=dsn)
    assert "above" in said and "below" in said and "proven" in said
    assert rows(operator, FAMILY, 4711) == []


def test_what_an_emitter_says_of_a_parent_is_claimed_and_inherits_nothing(
    db: Connection, intake: Connection
) -> None:
    record(
        intake,
        event("start", on_behalf_of="Ada"),
        event("call", tool="x", thread="t"),
    )
    found = rows(db, FAMILY, value(db, "select max(run_id) from agentdb.run"))
    assert [(each["depth"], each["parent_is"]) for each in found] == [
        (-1, None),
        (0, "claimed"),
    ]
    query = "select on_behalf_of from agentdb.run order by run_id"
    assert [each["on_behalf_of"] for each in rows(db, query)] == ["Ada", None]
