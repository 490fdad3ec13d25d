"""What people do on the page, end to end, and what the record says of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from .agents import register, row, rows, start, value
from .alerts import fire, make_rule
from .changes import latest
from .page import Browser, log_in, paging
from .test_page import words

if TYPE_CHECKING:
    from .conftest import Connect, Connection
    from .servers import Server

BY = "operator_o by way of agentdb serve"


@pytest.fixture
def page(server: Server, db: Connection) -> Iterator[str]:
    with paging(server, db) as url:
        yield url


@pytest.fixture
def ann(page: str, db: Connection, connect: Connect) -> Browser:
    return log_in(page, db, connect, "operator_o")


@pytest.fixture
def desk(server: Server, guarded: Connection) -> Iterator[str]:
    """The address of a page before the database with guarded tables."""
    with paging(server, guarded) as url:
        yield url


def propose(guarded: Connection, connect: Connect, note: str = "x") -> int:
    """Have agent a propose a change, and return its number."""
    agent = connect(guarded.info.dbname, "agent_a")
    agent.execute("set search_path = agentdb_stage, public")
    start(agent)
    agent.execute(
        f"update agentdb_stage.invoice set note = '{note}' where id = 1".encode()
    )
    return int(latest(guarded)["change_id"])


def digest(db: Connection, change: int) -> str:
    return str(
        value(db, "select digest from agentdb.change where change_id = %s", change)
    )


def test_an_alert_is_handled(ann: Browser, db: Connection) -> None:
    make_rule(db)
    x, y = fire(db, "x", "y")
    done = ann.post(f"/alert/{x}/acknowledge", {"comment": "mine", "lasts": "2h"})
    assert done.status_code == 303
    assert ann.said() == f"A-{x} is acknowledged"
    # It is said once.
    assert "acknowledged" not in ann.said()
    found = row(
        db,
        "select acknowledged_by, acknowledged_until from agentdb.alert where alert_id = %s",
        x,
    )
    assert found["acknowledged_by"] == BY and found["acknowledged_until"]
    ann.post(f"/alert/{x}/unacknowledge")
    assert (
        value(db, "select acknowledged_by from agentdb.alert where alert_id = %s", x)
        is None
    )
    ann.post(f"/alert/{y}/resolve", {"reason": "done"})
    assert value(db, "select end_reason from agentdb.alert where alert_id = %s", y) == (
        f"resolved by {BY}: done"
    )
    ann.post(f"/alert/{y}/acknowledge", {"comment": "late"})
    assert "does not fire" in ann.said()
    ann.post(f"/alert/{x}/acknowledge", {"comment": ""})
    assert "comment" in ann.said()
    ann.post(f"/alert/{x}/acknowledge", {"comment": "m", "lasts": "for ever"})
    assert "interval" in ann.said()
    ann.post("/silence", {"matchers": "rule=late", "lasts": "1h", "reason": "known"})
    assert ann.said() == "silence S-1: 1 alerts fire under it"
    assert value(db, "select created_by from agentdb.silence") == BY
    ann.post("/silence/1/end")
    assert value(db, "select ended_by from agentdb.silence") == BY
    ann.post("/alert/4711/resolve", {"reason": "x"})
    assert "there is no alert A-4711" in ann.said()


def test_an_agent_is_stopped(ann: Browser, db: Connection, connect: Connect) -> None:
    register(db)
    run = start(connect(db.info.dbname, "agent_a"))
    ann.post("/agent/a/pause", {"reason": "wait"})
    assert "agent a is paused: 1 open runs" in ann.said()
    ann.post("/agent/a/resume", {"reason": "go"})
    assert "agent a goes on" in ann.said()
    ann.post(f"/run/{run}/kill", {"reason": ""})
    assert value(db, "select count(*) from agentdb.run_stop") == 0
    ann.post(f"/run/{run}/kill", {"reason": "it loops"})
    said = ann.said().splitlines()
    assert said[0] == f"nothing of run {run} can commit any more"
    assert f"run {run} of a is killed" in said[-1]
    assert row(db, "select stopped_by, drained_at is not null as drained from agentdb.run_stop") == {
        "stopped_by": BY, "drained": True,
    }  # fmt: skip
    ann.post("/agent/a/kill", {"reason": "for good"})
    assert "starts nothing until it is resumed" in ann.said()
    assert value(db, "select kind from agentdb.agent_stop") == "killed"


def test_a_paused_agent_is_resumed_where_its_alert_is(
    ann: Browser, db: Connection, connect: Connect
) -> None:
    make_rule(db)
    register(db)
    run = start(connect(db.info.dbname, "agent_a"))
    (alert,) = fire(db, "x", agent="a")
    html = ann.get(f"/alert/{alert}").text
    assert 'action="/agent/a/pause"' in html and "/agent/a/resume" not in html
    ann.post("/agent/a/pause", {"reason": "wait for the vendor"})
    html = ann.get(f"/alert/{alert}").text
    assert 'action="/agent/a/resume"' in html and "/agent/a/pause" not in html
    assert "is paused by" in words(html) and "wait for the vendor" in html
    lines = ann.get(f"/run/{run}").text.count("axis-stop-line")
    ann.post("/agent/a/resume", {"reason": "it is back"})
    html = ann.get(f"/run/{run}").text
    # What ends a stop is drawn as what it is.
    assert lines == html.count("axis-stop-line") == 1
    assert html.count("axis-mark axis-resume") == 1


def test_a_kill_says_what_goes_on(
    ann: Browser, db: Connection, connect: Connect
) -> None:
    register(db)
    db.execute("create table public.t (id int primary key)")
    db.execute("grant insert on public.t to agent_a")
    db.execute("select agentdb.audit_table('public.t')")
    agent = connect(db.info.dbname, "agent_a")
    run = start(agent)
    with agent.transaction():
        agent.execute("insert into public.t values (1)")
        ann.post(f"/run/{run}/kill", {"reason": "now"})
        said = ann.said()
        assert f"run {run} still has a transaction open" in said
        assert "grant pg_signal_backend to" in said


def test_a_question_is_answered_and_a_lock_taken(
    ann: Browser, db: Connection, connect: Connect
) -> None:
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute("select agentdb.ask_human('go on?', '[\"yes\", \"no\"]')")
    agent.execute("select agentdb.acquire_lock('nightly', '1 minute')")
    ann.post("/question/1/answer", {"answer": "maybe"})
    assert "none of the options" in ann.said()
    ann.post("/question/1/answer", {"answer": "yes", "comment": "fine"})
    assert value(db, "select answered_by from agentdb.question") == BY
    ann.post("/question/1/answer", {"answer": "no"})
    assert f"{BY} answered: yes" in ann.said()
    ann.post("/lock/release", {"name": "nightly", "reason": "it hangs"})
    assert "lock nightly is taken from" in ann.said()
    assert value(db, "select ended_by from agentdb.lock_log") == BY


def test_a_message_is_sent_again_or_dropped(ann: Browser, db: Connection) -> None:
    db.execute(
        "insert into agentdb.receiver (receiver_name, channel, target)"
        " values ('r', 'webhook', 'http://127.0.0.1:1/')"
    )
    db.execute("select agentdb.test_receiver('r')")
    ann.post("/notification/1/retry")
    assert "is not dead but queued" in ann.said()
    ann.post("/notification/1/drop")
    assert value(db, "select error from agentdb.notification") == f"dropped by {BY}"


def test_a_change_is_approved_as_it_was_shown(
    desk: str, guarded: Connection, connect: Connect
) -> None:
    change = propose(guarded, connect)
    rev = log_in(desk, guarded, connect, "reviewer_r")
    rev.post(f"/change/{change}/approve", {"digest": "another"})
    assert "is not what was reviewed" in rev.said()
    rev.post(f"/change/{change}/approve")
    assert latest(guarded)["state"] == "pending"
    rev.post(f"/change/{change}/approve", {"digest": digest(guarded, change)})
    assert rev.said() == f"change {change} is applied"
    assert latest(guarded)["decisions"] == "reviewer_r by way of agentdb serve: approve"
    assert value(guarded, "select note from invoice where id = 1") == "x"


def test_an_operator_approves_nothing(
    desk: str, guarded: Connection, connect: Connect
) -> None:
    change = propose(guarded, connect)
    ann = log_in(desk, guarded, connect, "operator_o")
    ann.post(f"/change/{change}/approve", {"digest": digest(guarded, change)})
    assert "is no reviewer" in ann.said()
    # Nor by giving itself a reviewer's rights.
    operator = connect(guarded.info.dbname, "operator_o")
    with pytest.raises(Exception, match="may not give the rights of reviewer_r away"):
        operator.execute("select agentdb.map_person('role operator_o', 'operator_o')")
        operator.execute("select agentdb.map_person('me', 'reviewer_r')")
    assert latest(guarded)["state"] == "pending"


def test_ones_own_change_by_way_of_a_link(
    desk: str, guarded: Connection, connect: Connect
) -> None:
    """The owner of the agent is a reviewer too: it is one person all the same."""
    change = propose(guarded, connect)
    guarded.execute("grant agentdb_reviewer to agent_a")
    try:
        own = log_in(desk, guarded, connect, "agent_a")
        for path, fields in (
            ("approve", {"digest": digest(guarded, change)}),
            ("reject", {"comment": "no"}),
        ):
            own.post(f"/change/{change}/{path}", fields)
            assert "may not decide change" in own.said()
    finally:
        guarded.execute("revoke agentdb_reviewer from agent_a")
    assert latest(guarded)["state"] == "pending"
    refused = "select sqlstate from agentdb.web_action where action <> 'x'"
    assert {each["sqlstate"] for each in rows(guarded, refused)} == {"ZA055"}


def test_of_two_at_once_one_decides_and_the_other_sees_who(
    desk: str, guarded: Connection, connect: Connect
) -> None:
    change = propose(guarded, connect)
    guarded.execute("create role second_r login in role agentdb_reviewer")
    try:
        both = [log_in(desk, guarded, connect, r) for r in ("reviewer_r", "second_r")]
        tokens = [each.csrf() for each in both]
        fields = {"digest": digest(guarded, change)}
        ready = threading.Barrier(2)

        def decide(place: int) -> None:
            ready.wait()
            both[place].post(f"/change/{change}/approve", fields, csrf=tokens[place])

        threads = [threading.Thread(target=decide, args=[n]) for n in (0, 1)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        said = sorted((each.said() for each in both), key=len)
        assert said[0] == f"change {change} is applied"
        who = value(guarded, "select reviewer from agentdb.change_decision")
        assert f"{who} by way of agentdb serve: approve" in said[1]
        assert value(guarded, "select count(*) from agentdb.change_decision") == 1
    finally:
        guarded.execute("drop owned by second_r")
        guarded.execute("drop role second_r")


def test_an_undo_is_shown_first_and_leaves_no_trace(
    desk: str, guarded: Connection, connect: Connect
) -> None:
    change = propose(guarded, connect)
    rev = log_in(desk, guarded, connect, "reviewer_r")
    rev.post(f"/change/{change}/approve", {"digest": digest(guarded, change)})
    before = latest(guarded)
    shown = rev.post("/run/1/undo", {"reason": "wrong"})
    assert shown.status_code == 200 and "public.invoice" in shown.text
    assert latest(guarded) == before
    acts = "select count(*) from agentdb.web_action where action = 'undo_run'"
    assert value(guarded, acts) == 0
    row_of_it = json.dumps({"table": "public.invoice", "key": {"id": 1}})
    none = rev.post("/run/1/undo", [("reason", "x"), ("keep", row_of_it)])
    assert none.status_code == 303 and "not possible" in rev.said()
    done = rev.post("/run/1/undo", {"reason": "wrong", "really": "1"})
    undo = latest(guarded)
    assert done.headers["location"] == f"/change/{undo['change_id']}"
    assert rev.said() == (
        f"change {undo['change_id']} takes 1 row back, once somebody else approves it"
    )
    assert f'<a href="/change/{undo["change_id"]}">' in rev.get("/run/1").text
    assert undo["proposed_by"] == "reviewer_r" and undo["kind"] == "undo"
    # Whoever asked for it does not approve it.
    rev.post(f"/change/{undo['change_id']}/approve", {"digest": undo["digest"]})
    assert "it proposed it" in rev.said()


def test_an_undo_of_what_is_not_guarded_is_refused_with_the_command(
    desk: str, guarded: Connection, connect: Connect
) -> None:
    guarded.execute("create table public.plain (id int primary key, note text)")
    guarded.execute("grant select, insert on public.plain to agent_a")
    guarded.execute("select agentdb.audit_table('public.plain')")
    agent = connect(guarded.info.dbname, "agent_a")
    run = start(agent)
    agent.execute("insert into public.plain values (1, 'x')")
    ann = log_in(desk, guarded, connect, "operator_o")
    # It is said before a form is filled in.
    form = words(ann.get(f"/run/{run}/undo").text)
    assert "This cannot be done here: public.plain is not guarded" in form
    assert f"agentdb undo {run} --dry-run" in form
    for fields in ({"reason": "x"}, {"reason": "x", "really": "1"}):
        ann.post(f"/run/{run}/undo", fields)
        said = ann.said()
        assert f"agentdb undo {run} --apply" in said
        assert "does it itself. Those are" in said and ".." not in said
    assert value(guarded, "select count(*) from public.plain") == 1


def test_a_conflict_is_not_offered_for_approval(
    desk: str, guarded: Connection, connect: Connect
) -> None:
    change = propose(guarded, connect)
    rev = log_in(desk, guarded, connect, "reviewer_r")
    assert "cannot be applied" not in words(rev.get(f"/change/{change}").text)
    register(guarded, "b", "agent_b")
    other = connect(guarded.info.dbname, "agent_b")
    run = start(other)
    other.execute("update agentdb_stage.invoice set note = 'other' where id = 1")
    second = latest(guarded)
    rev.post(f"/change/{second['change_id']}/approve", {"digest": second["digest"]})
    html = rev.get(f"/change/{change}").text
    said = words(html)
    assert "It cannot be applied as it is" in said
    for options in ("", " --keep-theirs", " --override --reason"):
        assert f"agentdb change rebase {change}{options}" in said
    # By whom it was, and the button only where it is asked for.
    assert f'by <a href="/run/{run}">run {run}</a> of <bdi>b</bdi>' in html
    assert html.index("Approve all the same") < html.index(f"/change/{change}/approve")


def test_who_may_not_decide_is_not_asked_to(
    desk: str, guarded: Connection, connect: Connect
) -> None:
    path = f"/change/{propose(guarded, connect)}"
    html = log_in(desk, guarded, connect, "operator_o").get(path).text
    assert "A reviewer can type" in html and "#decide" not in html
    guarded.execute("grant agentdb_reviewer to agent_a")
    try:
        html = log_in(desk, guarded, connect, "agent_a").get(path).text
    finally:
        guarded.execute("revoke agentdb_reviewer from agent_a")
    assert "This is your own change" in html and f"{path}/approve" not in html
    html = log_in(desk, guarded, connect, "reviewer_r").get(path).text
    assert "#decide" in html and f"{path}/approve" in html


def test_a_closed_change_lacks_no_approval(
    desk: str, guarded: Connection, connect: Connect
) -> None:
    change = propose(guarded, connect)
    rev = log_in(desk, guarded, connect, "reviewer_r")
    rev.post(f"/change/{change}/approve", {"digest": digest(guarded, change)})
    said = words(rev.get(f"/change/{change}").text)
    assert "0 missing" not in said and "the last one applies it" not in said
    assert "reviewer_r by way of agentdb serve: approve" in said
