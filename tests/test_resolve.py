"""A person ends an alert: it is said to all, and it does not come back unchanged."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentdb.channels.text import lines
from agentdb.cli import main

from .agents import refusal, row, rows, value
from .alerts import deliver, fire, ingest, kinds, make_rule, receiver
from .conftest import Connect, Connection
from .servers import Server

RESOLVE = "select rule_name from agentdb.resolve_alert(%s, %s)"
STATE = "select state from agentdb.alert where alert_id = %s"


@pytest.fixture(autouse=True)
def rule(db: Connection) -> None:
    make_rule(db)


@pytest.fixture
def operator(db: Connection, connect: Connect) -> Connection:
    return connect(db.info.dbname, "operator_o")


def agentdb(db: Connection, server: Server, *words: str, code: int = 0) -> str:
    dsn = server.dsn(database=db.info.dbname, user="operator_o")
    found = CliRunner().invoke(main, [*words, "--dsn", dsn])
    assert found.exit_code == code, found.output
    return found.output


def instance(severity: str = "warning", who: str = "a") -> dict[str, Any]:
    return {"labels": {"who": who}, "value": 1, "annotations": {"severity": severity}}


def test_person_ends_an_alert_and_everybody_hears_who_and_why(
    db: Connection, operator: Connection, server: Server
) -> None:
    (number,) = fire(db, "a")
    deliver(db)
    said = agentdb(db, server, "resolve", f"A-{number}", "--reason", "restarted it")
    assert said == f"A-{number} is resolved\n"
    (message,) = deliver(db)
    assert message["kind"] == "resolved"
    text = lines(message["payload"])
    assert text[1].endswith(" s: resolved by operator_o: restarted it")
    assert "it was: a!" in text
    assert not [line for line in text if line.startswith(("do:", "next: agentdb ack"))]
    log = row(
        db,
        "select from_state, to_state, recorded_by::text as who, comment"
        " from agentdb.alert_log order by alert_log_id desc limit 1",
    )
    assert log == {
        "from_state": "firing",
        "to_state": "resolved",
        "who": "operator_o",
        "comment": "restarted it",
    }
    why = agentdb(db, server, "why", f"A-{number}")
    assert "resolved by operator_o: restarted it" in why


def test_what_is_still_there_unchanged_does_not_come_back(
    db: Connection, operator: Connection
) -> None:
    (number,) = fire(db, "a")
    assert kinds(db) == ["firing"]
    operator.execute(RESOLVE, [number, "known"])
    for _ in range(3):
        fire(db, "a")
    assert kinds(db) == ["resolved"]
    # Gone, as the rule sees it, and come back: that is another episode.
    fire(db)
    fire(db, "a")
    (message,) = deliver(db)
    assert (message["kind"], message["payload"]["episode"]) == ("firing", 2)


def test_what_gets_worse_comes_back(db: Connection, operator: Connection) -> None:
    ingest(db, [instance("warning")])
    assert kinds(db) == ["firing"]
    operator.execute(RESOLVE, [1, "known"])
    ingest(db, [instance("info")])
    ingest(db, [instance("warning")])
    assert kinds(db) == ["resolved"]
    ingest(db, [instance("critical")])
    assert kinds(db) == ["firing"]


def test_answer_that_names_not_all_proves_no_end(
    db: Connection, operator: Connection
) -> None:
    fire(db, "a")
    operator.execute(RESOLVE, [1, "known"])
    db.execute(
        "select agentdb.ingest(rule_name, evaluation, '[]', truncated => true)"
        " from agentdb.alert_rule where rule_name = 'late'"
    )
    fire(db, "a")
    assert value(db, STATE, 1) == "resolved"


def test_flapping_within_keep_firing_is_the_same_trouble(
    db: Connection, operator: Connection
) -> None:
    db.execute("update agentdb.alert_rule set keep_firing = '1 hour'")
    fire(db, "a")
    operator.execute(RESOLVE, [1, "known"])
    fire(db)
    fire(db, "a")
    assert value(db, STATE, 1) == "resolved"
    db.execute("update agentdb.alert set seen_at = seen_at - interval '61 min'")
    fire(db)
    fire(db, "a")
    assert value(db, STATE, 1) == "firing"


def test_alert_that_nobody_was_told_of_is_told_once_with_its_end(
    db: Connection, operator: Connection
) -> None:
    (number,) = fire(db, "a")
    operator.execute(RESOLVE, [number, "known"])
    assert kinds(db) == ["firing", "resolved"]


def test_acknowledgement_goes_with_the_alert(
    db: Connection, operator: Connection
) -> None:
    (number,) = fire(db, "a")
    operator.execute("select agentdb.acknowledge_alert(%s, 'mine')", [number])
    operator.execute(RESOLVE, [number, "done"])
    query = "select acknowledged_by from agentdb.alert where alert_id = %s"
    assert value(db, query, number) is None


def test_group_is_resolved_as_a_whole(
    db: Connection, operator: Connection, server: Server
) -> None:
    db.execute("select agentdb.set_route('r', 'stdout', group_by => '{rule}')")
    fire(db, "a", "b")
    (message,) = deliver(db)
    group = message["payload"]["group"]
    said = agentdb(db, server, "resolve", group, "--reason", "deployed a fix")
    assert said == f"2 alerts of {group} are resolved\n"
    (message,) = deliver(db)
    text = lines(message["payload"])
    assert text[1] == "2 alerts are over: 2 late"
    ends = [line for line in text if "resolved by operator_o: deployed a fix" in line]
    assert len(ends) == 2
    again = agentdb(db, server, "resolve", group, "--reason", "x", code=1)
    assert f"group {group} does not fire" in again


@pytest.mark.parametrize("reason", [None, "", " ", "a\nb", "\u202eevil", "x" * 501])
def test_reason_is_required(
    db: Connection, operator: Connection, reason: str | None
) -> None:
    fire(db, "a")
    for call in ("resolve_alert", "resolve_group"):
        refused = refusal(operator, f"select agentdb.{call}(1, %s)", reason)
        assert refused.sqlstate == "ZA004"
        assert str(refused.message_primary).startswith("a reason is ")
    assert value(db, STATE, 1) == "firing"


def test_pending_alert_is_not_resolved_and_says_what_it_waits_for(
    db: Connection, operator: Connection
) -> None:
    db.execute("update agentdb.alert_rule set fire_after = '90 s'")
    (number,) = fire(db, "a")
    for call in (RESOLVE, "select agentdb.acknowledge_alert(%s, %s)"):
        refused = refusal(operator, call, number, "x")
        assert refused.sqlstate == "ZA075"
        assert "It is pending" in str(refused.message_detail)
        assert "for 1 min 30 s" in str(refused.message_detail)


def test_what_does_not_fire_is_not_resolved(
    db: Connection, operator: Connection, server: Server
) -> None:
    for number in (None, 0, 77, -1):
        refused = refusal(operator, RESOLVE, number, "x")
        assert refused.sqlstate == "ZA006"
        assert str(refused.message_primary).startswith("there is no alert A-")
    refused = refusal(operator, "select agentdb.resolve_group(77, 'x')")
    assert refused.sqlstate == "ZA075"
    (number,) = fire(db, "a")
    operator.execute(RESOLVE, [number, "first"])
    refused = refusal(operator, RESOLVE, number, "second")
    assert refused.sqlstate == "ZA075"
    assert "resolved by operator_o: first" in str(refused.message_detail)
    said = agentdb(db, server, "resolve", f"A-{number}", "--reason", "x", code=1)
    assert "resolved by operator_o: first" in said
    agentdb(db, server, "resolve", f"A-{number}", code=2)
    agentdb(db, server, "resolve", "Q-1", "--reason", "x", code=2)


@pytest.mark.parametrize("user", ["agent_a", "auditor_u", "reviewer_r", "app_user"])
def test_only_people_on_call_resolve(
    db: Connection, connect: Connect, user: str
) -> None:
    session = connect(db.info.dbname, user)
    for call in ("resolve_alert(1, 'x')", "resolve_group(1, 'x')"):
        assert refusal(session, f"select agentdb.{call}").sqlstate == "42501"


def test_of_two_persons_at_once_one_ends_it(db: Connection, connect: Connect) -> None:
    numbers = fire(db, *(f"w{i}" for i in range(20)))
    outcomes: list[str | None] = []

    def run(reason: str) -> None:
        session = connect(db.info.dbname, "operator_o")
        for number in numbers:
            try:
                session.execute(RESOLVE, [number, reason])
                outcomes.append(None)
            except Exception as error:
                outcomes.append(getattr(error, "sqlstate", "?"))

    threads = [threading.Thread(target=run, args=[name]) for name in ("ana", "ben")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(None) == outcomes.count("ZA075") == len(numbers)
    ended = "select count(*) from agentdb.alert_log where to_state = 'resolved'"
    assert value(db, ended) == len(numbers)


def test_evaluation_under_way_does_not_wake_it(
    db: Connection, connect: Connect, operator: Connection
) -> None:
    (number,) = fire(db, "a")
    with operator.transaction():
        operator.execute(RESOLVE, [number, "known"])
        done = threading.Event()

        def evaluate() -> None:
            ingest(connect(db.info.dbname), [{"labels": {"who": "a"}}])
            done.set()

        thread = threading.Thread(target=evaluate)
        thread.start()
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        while not value(db, waiting) and not done.is_set():
            pass
    thread.join()
    assert value(db, STATE, number) == "resolved"


ACTIONS = st.lists(
    st.one_of(
        st.sampled_from(["gone", "resolve"]),
        st.sampled_from(["info", "warning", "critical"]),
    ),
    max_size=12,
)
RANK = {"info": 1, "warning": 2, "critical": 3}


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(ACTIONS)
def test_alert_fires_exactly_when_the_model_says_so(
    db: Connection, actions: list[str]
) -> None:
    """The model: a person's word holds until the trouble is gone or got worse."""
    ingest(db, [])
    firing, dismissed, severity = False, 0, 0
    for action in actions:
        if action == "gone":
            ingest(db, [])
            firing, dismissed = False, 0
        elif action == "resolve":
            if firing:
                db.execute(
                    RESOLVE, [value(db, "select alert_id from agentdb.alert"), "x"]
                )
                firing, dismissed = False, severity
        else:
            ingest(db, [instance(action)])
            severity = RANK[action]
            if severity > dismissed:
                firing, dismissed = True, 0
        found = rows(db, "select state from agentdb.alert")
        assert [each["state"] for each in found if each["state"] == "firing"] == (
            ["firing"] if firing else []
        )
    ingest(db, [])


def test_receivers_with_and_without_the_end_agree(
    db: Connection, operator: Connection
) -> None:
    receiver(db, "quiet", send_resolved=False)
    (number,) = fire(db, "a")
    deliver(db)
    operator.execute(RESOLVE, [number, "done"])
    assert [each["receiver_name"] for each in deliver(db)] == ["stdout"]
