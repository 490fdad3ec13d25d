"""An alert is told to whom it concerns, once, as one incident with its like."""

from __future__ import annotations

import json
import threading

import pytest

from .agents import Row, refusal, row, rows, value
from .alerts import (
    claimed,
    deliver,
    fire,
    flush,
    ingest,
    kinds,
    later,
    make_rule,
    receiver,
    told,
)
from .conftest import Connect, Connection


@pytest.fixture(autouse=True)
def rule(db: Connection) -> None:
    make_rule(db)


def ack(db: Connection, alert: int, lasts: str | None = None) -> None:
    query = "select * from agentdb.acknowledge_alert(%s, 'I see to it', %s::interval)"
    db.execute(query.encode(), [alert, lasts])


def route(db: Connection, receiver: str = "stdout", **arguments: object) -> None:
    names = "".join(f", {name} => %({name})s" for name in arguments)
    query = f"select agentdb.set_route('r_{receiver}', %(to)s{names})"
    db.execute(query.encode(), {"to": receiver, **arguments})


def test_group_is_one_message_and_one_incident(db: Connection) -> None:
    route(db, group_by=["rule"], group_wait="30 seconds", group_interval="5 minutes")
    fire(db, "a", "b")
    assert kinds(db) == []
    fire(db, "a", "b", "c")
    later(db, "30 seconds")
    (first,) = deliver(db)
    assert first["kind"] == "firing"
    assert f"/{db.info.dbname}/G-" in first["dedup_key"]
    payload = first["payload"]
    assert payload["summary"] == "3 alerts: 3 late"
    assert payload["labels"] == {"rule": "late"}
    assert (payload["firing"], payload["resolved"]) == (3, 0)
    assert {each["summary"] for each in payload["worst"]} == {"a!", "b!", "c!"}
    assert payload["next"][-1] == f"agentdb ack {payload['group']} -m …"
    # A change waits for the interval; then it is one message of the same incident.
    fire(db, "a", "d")
    assert kinds(db) == []
    later(db, "5 minutes")
    (second,) = deliver(db)
    assert second["dedup_key"] == first["dedup_key"]
    assert (second["payload"]["firing"], second["payload"]["resolved"]) == (2, 2)
    fire(db)
    later(db, "5 minutes")
    (last,) = deliver(db)
    assert (last["kind"], last["dedup_key"]) == ("resolved", first["dedup_key"])
    assert kinds(db) == []
    assert rows(db, "select * from agentdb.group_alert") == []


def test_group_of_one_tells_of_its_alert(db: Connection) -> None:
    route(db, group_by=["rule"])
    (number,) = fire(db, "a")
    (message,) = deliver(db)
    assert message["payload"]["alert"] == number
    assert message["payload"]["summary"] == "a!"
    assert message["payload"]["group"].startswith("G-")


def test_ten_thousand_alerts_are_one_message_of_bounded_size(db: Connection) -> None:
    route(db, group_by=["rule"])
    instances = [
        {
            "labels": {"agent": f"agent {i % 40}", "who": str(i), "x": "y" * 2000},
            "value": i,
            "annotations": {"summary": "z" * 3000},
        }
        for i in range(10_000)
    ]
    ingest(db, instances)
    (message,) = deliver(db)
    payload = message["payload"]
    assert payload["firing"] == 10_000
    assert len(payload["counts"]) == 10 and len(payload["worst"]) == 5
    assert payload["counts"][0] == {"rule": "late", "agent": "agent 0", "alerts": 250}
    assert len(json.dumps(payload)) < 12_000
    ingest(db, [])
    assert kinds(db) == ["resolved"]


def test_storm_without_a_route_is_ten_messages_and_a_digest(db: Connection) -> None:
    names = [f"w{i:04}" for i in range(1200)]
    fire(db, *names[:4])
    assert kinds(db) == ["firing"] * 4
    fire(db, *names)
    messages = deliver(db)
    (digest,) = (each for each in messages if "group" in each["payload"])
    assert len(messages) == 7 and digest["payload"]["firing"] == 1190
    assert f"/{db.info.dbname}/G-" in digest["dedup_key"]
    assert digest["payload"]["labels"] == {"rule": "late"}
    # More of it waits a minute; another rule's, and what is alone again, does not.
    fire(db, *names, "more")
    assert kinds(db) == []
    make_rule(db, "other")
    fire(db, "a", rule="other")
    assert kinds(db) == ["firing"]
    later(db, "1 minute")
    (again,) = deliver(db)
    assert again["dedup_key"] == digest["dedup_key"]
    assert again["payload"]["firing"] == 1191
    fire(db)
    later(db, "1 minute")
    ended = deliver(db)
    assert [each["kind"] for each in ended] == ["resolved"] * 11
    assert digest["dedup_key"] in {each["dedup_key"] for each in ended}
    (number,) = fire(db, "alone")
    (message,) = deliver(db)
    assert message["payload"]["alert"] == number and "group" not in message["payload"]


def test_storm_at_one_receiver_is_its_own(db: Connection) -> None:
    receiver(db, "each")
    route(db, "each", group_by=["alert"])
    fire(db, *(f"w{i}" for i in range(30)))
    names = [name for name, _ in told(db)]
    assert (names.count("each"), names.count("stdout")) == (30, 11)


def test_repeat_until_somebody_acknowledges(db: Connection) -> None:
    route(db, repeat_interval="1 hour")
    (number,) = fire(db, "a")
    assert kinds(db) == ["firing"]
    for _ in range(2):
        later(db, "59 minutes")
        assert kinds(db) == []
        later(db, "1 minute")
        assert kinds(db) == ["firing"]
    ack(db, number)
    assert kinds(db) == ["acknowledged"]
    later(db, "1 day")
    assert kinds(db) == []


def test_acknowledgement_is_a_persons_and_recorded(
    db: Connection, connect: Connect
) -> None:
    (number,) = fire(db, "a")
    assert kinds(db) == ["firing"]
    operator = connect(db.info.dbname, "operator_o")
    ack(operator, number)
    (message,) = deliver(db)
    assert message["kind"] == "acknowledged"
    assert message["payload"]["reason"] == "acknowledgement by operator_o: I see to it"
    assert message["payload"]["next"][-1] == f"agentdb unack A-{number}"
    logged = row(
        db,
        "select from_state, recorded_by::text as who, comment from agentdb.alert_log"
        " where to_state = 'acknowledged'",
    )
    assert logged == {
        "from_state": "firing",
        "who": "operator_o",
        "comment": "I see to it",
    }
    assert value(db, "select acknowledged_by from agentdb.active_alert") == "operator_o"
    # Resolved ends it: what comes again is told again.
    fire(db)
    assert kinds(db) == ["resolved"]
    fire(db, "a")
    assert kinds(db) == ["firing"]


def test_acknowledgement_for_a_time_ends(db: Connection) -> None:
    (number,) = fire(db, "a")
    deliver(db)
    ack(db, number, "2 hours")
    assert kinds(db) == ["acknowledged"]
    later(db, "1 hour")
    assert kinds(db) == []
    later(db, "1 hour")
    (message,) = deliver(db)
    assert message["kind"] == "firing"
    assert message["payload"]["reason"].startswith("over: acknowledgement by ")


def test_unacknowledged_alert_is_told_again(db: Connection) -> None:
    (number,) = fire(db, "a")
    deliver(db)
    ack(db, number)
    deliver(db)
    assert value(db, "select agentdb.unacknowledge_alert(%s)", number)
    assert not value(db, "select agentdb.unacknowledge_alert(%s)", number)
    assert kinds(db) == ["firing"]


def test_acknowledged_before_it_is_sent_is_never_sent(db: Connection) -> None:
    (number,) = fire(db, "a")
    flush(db)
    ack(db, number)
    assert claimed(db) == []
    assert value(db, "select state from agentdb.notification") == "cancelled"
    fire(db)
    # Who was not told of the beginning is not told of the end.
    assert kinds(db) == []


def test_acknowledged_while_it_is_sent_follows_it(db: Connection) -> None:
    (number,) = fire(db, "a")
    flush(db)
    (sending,) = claimed(db)
    ack(db, number)
    assert claimed(db) == []
    db.execute("select agentdb.mark_sent(%s, 1)", [sending["notification_id"]])
    assert kinds(db) == ["acknowledged"]


def test_group_is_acknowledged_as_a_whole(db: Connection) -> None:
    route(db, group_by=["rule"])
    fire(db, "a", "b")
    (message,) = deliver(db)
    number = int(message["payload"]["group"].removeprefix("G-"))
    assert value(db, "select agentdb.acknowledge_group(%s, 'mine')", number) == 2
    assert kinds(db) == ["acknowledged"]
    # A new one is told, for nobody sees to that.
    fire(db, "a", "b", "c")
    (message,) = deliver(db)
    assert (message["kind"], message["payload"]["alert"] > 0) == ("firing", True)
    assert message["payload"]["acknowledged"] == 2
    assert value(db, "select agentdb.unacknowledge_group(%s)", number) == 2
    assert kinds(db) == ["firing"]


def test_group_is_acknowledged_once_all_its_alerts_are(db: Connection) -> None:
    route(db, group_by=["rule"])
    first, second = fire(db, "a", "b")
    deliver(db)
    ack(db, first)
    assert kinds(db) == []
    ack(db, second)
    assert kinds(db) == ["acknowledged"]


@pytest.mark.parametrize("number", [None, 0, 77])
def test_what_does_not_fire_is_not_acknowledged(
    db: Connection, number: int | None
) -> None:
    call = "select agentdb.acknowledge_alert(%s::bigint, 'x')"
    assert refusal(db, call, number).sqlstate == "ZA075"
    (number,) = fire(db, "a")
    fire(db)
    assert refusal(db, call, number).sqlstate == "ZA075"


@pytest.mark.parametrize(
    ("comment", "lasts"),
    [
        (None, None),
        ("", None),
        (" ", None),
        ("a\nb", None),
        ("\u202eevil", None),
        ("x" * 501, None),
        ("x", "0"),
        ("x", "-1 hour"),
        ("x", "31 days"),
    ],
)
def test_acknowledgement_needs_a_comment_and_an_end(
    db: Connection, comment: str | None, lasts: str | None
) -> None:
    (number,) = fire(db, "a")
    call = "select agentdb.acknowledge_alert(%s, %s, %s::interval)"
    assert refusal(db, call, number, comment, lasts).sqlstate == "ZA004"


def test_nobody_acknowledges_in_time_and_the_next_is_told(db: Connection) -> None:
    receiver(db, "lead")
    receiver(db, "second", escalate_after="20 minutes", escalate_to="lead")
    db.execute(
        "update agentdb.receiver set escalate_after = '10 minutes',"
        " escalate_to = 'second' where receiver_name = 'stdout'"
    )
    numbers = fire(db, "a", "b")
    # Who is escalated to hears of nothing else.
    assert told(db) == [("stdout", "firing")] * 2
    ack(db, numbers[0])
    assert told(db) == [("stdout", "acknowledged")]
    later(db, "10 minutes")
    (message,) = deliver(db)
    assert (message["receiver_name"], message["payload"]["alert"]) == (
        "second",
        numbers[1],
    )
    assert message["payload"]["reason"] == (
        "escalated: stdout did not acknowledge it for 10 min"
    )
    later(db, "20 minutes")
    assert told(db) == [("lead", "firing")]
    later(db, "1 day")
    assert told(db) == []
    # All who were told hear that somebody is at it, and that it is over.
    ack(db, numbers[1])
    assert sorted(told(db)) == [
        (name, "acknowledged") for name in ("lead", "second", "stdout")
    ]
    fire(db)
    assert sorted(told(db)) == [
        (name, "resolved") for name in ("lead", "second", "stdout", "stdout")
    ]


def test_escalation_in_a_circle_ends(db: Connection) -> None:
    receiver(db, "b", escalate_after="1 minute", escalate_to="stdout")
    db.execute(
        "update agentdb.receiver set escalate_after = '1 minute', escalate_to = 'b'"
        " where receiver_name = 'stdout'"
    )
    route(db, "stdout")
    fire(db, "a")
    assert told(db) == [("stdout", "firing")]
    for expected in ([("b", "firing")], [], []):
        later(db, "1 minute")
        assert told(db) == expected


def test_route_chooses_what_a_receiver_hears(db: Connection) -> None:
    receiver(db, "pager")
    route(db, "pager", matchers="severity=critical,who!=x")
    make_rule(db, "bad", "critical")
    fire(db, "a")
    fire(db, "x", "y", rule="bad")
    assert sorted(told(db)) == [("pager", "firing")] + [("stdout", "firing")] * 3
    assert value(db, "select agentdb.unset_route('r_pager')")
    fire(db, "a", "b")
    assert sorted(told(db)) == [("pager", "firing"), ("stdout", "firing")]


@pytest.mark.parametrize(
    "given",
    [
        {"matchers": "x"},
        {"matchers": None},
        {"group_by": None},
        {"group_by": ["a b"]},
        {"group_by": [None]},
        {"group_by": list("abcdefghijk")},
    ],
)
def test_odd_route_is_refused(db: Connection, given: Row) -> None:
    names = "".join(f", {name} => %s" for name in given)
    call = f"select agentdb.set_route('r', 'stdout'{names})"
    assert refusal(db, call, *given.values()).sqlstate == "ZA004"


def test_cause_keeps_its_consequences_from_being_told(db: Connection) -> None:
    make_rule(db, "cause")
    db.execute(
        "select agentdb.set_inhibition('c', 'rule=cause', 'rule=late', '{agent}')"
    )
    fire(db, "root", rule="cause", agent="x")
    fire(db, "a", agent="x")
    (message,) = deliver(db)
    assert message["payload"]["rule"] == "cause"
    # Another agent's is no consequence of it, and nor is one that names no agent.
    ingest(db, [{"labels": labels} for labels in ({"agent": "y"}, {"who": "z"})])
    assert kinds(db) == ["firing", "firing"]
    ingest(db, [{"labels": {"who": "a", "agent": "x"}}])
    fire(db, rule="cause")
    later(db, "15 seconds")
    # The incident goes on without its cause.
    (again, *ends) = sorted(deliver(db), key=lambda each: str(each["kind"]))
    assert [each["kind"] for each in ends] == ["resolved", "resolved"]
    assert again["kind"] == "firing" and again["payload"]["rule"] == "late"
    assert again["dedup_key"] == message["dedup_key"]
    assert value(db, "select agentdb.unset_inhibition('c')")


def test_cause_lingers_as_long_as_its_windows_are_full(db: Connection) -> None:
    make_rule(db, "cause")
    db.execute(
        "select agentdb.set_inhibition('c', 'rule=cause', 'rule=late', '{agent}',"
        " '20 min')"
    )
    fire(db, "root", rule="cause", agent="x")
    fire(db, "a", agent="x")
    assert kinds(db) == ["firing"]
    fire(db, rule="cause")
    later(db, "15 seconds")
    assert kinds(db) == ["resolved"]
    db.execute("update agentdb.alert set resolved_at = resolved_at - interval '21 min'")
    later(db, "15 seconds")
    (message,) = deliver(db)
    assert message["payload"]["rule"] == "late"
    odd = "select agentdb.set_inhibition('c', 'a=b', 'c=d', '{x}', '2 days')"
    assert refusal(db, odd).sqlstate == "ZA004"


def test_mild_cause_hides_nothing_that_is_worse(db: Connection) -> None:
    make_rule(db, "cause")
    make_rule(db, "effect", severity="critical")
    db.execute(
        "select agentdb.set_inhibition('c', 'rule=cause', 'rule=effect', '{agent}')"
    )
    fire(db, "root", rule="cause", agent="x")
    assert kinds(db) == ["firing"]
    (worse,) = fire(db, "a", rule="effect", agent="x")
    (message,) = deliver(db)
    payload = message["payload"]
    assert (payload["rule"], payload["severity"]) == ("cause", "critical")
    assert payload["news"] == [f"A-{worse} effect: a!"]


def test_what_is_an_annotation_of_one_is_a_label_of_the_other(db: Connection) -> None:
    make_rule(db, "cause")
    db.execute(
        "select agentdb.set_inhibition('c', 'rule=cause', 'rule=late', '{agent,run}')"
    )
    fire(db, "root", rule="cause", agent="x", run="7")
    labels = {"agent": "x", "who": "b"}
    ingest(db, [{"labels": labels, "annotations": {"run": "7"}}])
    assert kinds(db) == ["firing"]
    ingest(db, [{"labels": labels, "annotations": {"run": "8"}}])
    later(db, "15 seconds")
    assert kinds(db) == ["firing"]


def test_both_sides_of_an_inhibition_do_not_silence_each_other(db: Connection) -> None:
    db.execute(
        "select agentdb.set_inhibition('c', 'rule=late', 'rule=late', '{agent}')"
    )
    fire(db, "a", "b", agent="x")
    assert kinds(db) == ["firing", "firing"]


def test_what_comes_and_goes_before_it_is_sent_is_told_once(db: Connection) -> None:
    fire(db, "a")
    fire(db)
    assert kinds(db) == ["firing", "resolved"]
    assert kinds(db) == []
    fire(db, "a")
    flush(db)
    fire(db)
    flush(db)
    fire(db, "a")
    flush(db)
    # The third waits behind the second behind the first; none overtakes another.
    assert kinds(db) == ["firing", "resolved", "firing"]


def test_message_that_waits_is_rewritten_and_not_followed(db: Connection) -> None:
    route(db, group_by=["rule"])
    fire(db, "a")
    flush(db)
    fire(db, "a", "b")
    flush(db)
    (message,) = deliver(db)
    assert message["payload"]["firing"] == 2


def test_end_that_was_not_told_is_told_though_the_alert_came_back(
    db: Connection,
) -> None:
    db.execute("update agentdb.alert_rule set fire_after = '1 hour'")
    fire(db, "a")
    db.execute("update agentdb.alert set active_at = active_at - interval '1 hour'")
    fire(db, "a")
    assert kinds(db) == ["firing"]
    fire(db)
    fire(db, "a")
    fire(db)
    assert kinds(db) == ["resolved"]


def test_dead_letter_is_told_to_the_others(db: Connection) -> None:
    receiver(db, "hook")
    receiver(db, "pager", min_severity="critical")
    route(db, "pager", matchers="severity=critical,agent=nobody")
    fire(db, "a")
    flush(db)
    for each in claimed(db):
        permanent = each["receiver_name"] == "hook"
        call = "select agentdb.mark_failed(%s, 1, 404, 'HTTP 404', permanent => %s)"
        db.execute(call.encode(), [each["notification_id"], permanent])
    db.execute("update agentdb.alert_rule set enabled = true")
    (found,) = rows(db, "select * from agentdb.dead_letter")
    assert found["labels"] == {"receiver": "hook"}
    assert "1 message to hook given up, the last" in found["annotations"]["summary"]
    ingest(db, [json.loads(json.dumps(found))], "dead_letter")
    flush(db)
    names = rows(
        db,
        "select receiver_name from agentdb.notification"
        " where payload ->> 'rule' = 'dead_letter' order by 1",
    )
    assert [each["receiver_name"] for each in names] == ["pager", "stdout"]
    # It works again.
    later(db, "61 minutes")
    assert rows(db, "select * from agentdb.dead_letter") != []
    number = value(db, "select agentdb.test_receiver('hook')")
    deliver(db)
    assert (
        value(
            db,
            "select state from agentdb.notification where notification_id = %s",
            number,
        )
        == "sent"
    )
    assert rows(db, "select * from agentdb.dead_letter") == []


def test_dead_message_is_tried_again_or_dropped_by_a_person(db: Connection) -> None:
    fire(db, "a", "b")
    flush(db)
    first, second = claimed(db)
    for each in (first, second):
        call = "select agentdb.mark_failed(%s, 1, 404, 'gone', permanent => true)"
        db.execute(call.encode(), [each["notification_id"]])
    db.execute("select agentdb.drop_notification(%s)", [first["notification_id"]])
    db.execute("select agentdb.retry_notification(%s)", [second["notification_id"]])
    (again,) = claimed(db)
    assert again["idempotency_key"] == second["idempotency_key"]
    for call in ("retry", "drop"):
        for number in (again["notification_id"], 77, None):
            refused = refusal(db, f"select agentdb.{call}_notification(%s)", number)
            assert refused.sqlstate == "ZA076"


def test_dead_beginning_does_not_follow_the_end(db: Connection) -> None:
    fire(db, "a")
    flush(db)
    (first,) = claimed(db)
    db.execute(
        "select agentdb.mark_failed(%s, 1, 404, 'x', permanent => true)",
        [first["notification_id"]],
    )
    fire(db)
    assert kinds(db) == ["resolved"]
    refused = refusal(
        db, "select agentdb.retry_notification(%s)", first["notification_id"]
    )
    assert refused.message_primary and "overtaken" in refused.message_primary


def test_flushes_claims_and_acknowledgements_race_and_contradict_nothing(
    db: Connection, connect: Connect
) -> None:
    route(db, group_by=["alert"])
    numbers = fire(db, *(f"w{i:02}" for i in range(40)))
    stop = threading.Event()
    sent: list[tuple[int, int, str]] = []
    lock = threading.Lock()

    def run() -> None:
        session = connect(db.info.dbname, "operator_o")
        while not stop.is_set():
            session.execute("select agentdb.flush(7)")
            for each in rows(
                session, "select * from agentdb.claim_notification('r', 3, '1 min')"
            ):
                with lock:
                    sent.append(
                        (
                            each["notification_id"],
                            each["payload"]["alert"],
                            each["kind"],
                        )
                    )
                session.execute(
                    "select agentdb.mark_sent(%s, %s)",
                    [each["notification_id"], each["attempt"]],
                )

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    person = connect(db.info.dbname, "operator_o")
    acknowledged_at: dict[int, int] = {}
    for number in numbers:
        ack(person, number)
        with lock:
            acknowledged_at[number] = len(sent)
    fire(db)
    until_quiet(db)
    stop.set()
    for thread in threads:
        thread.join()
    for number in numbers:
        mine = [kind for _, alert, kind in sent if alert == number]
        # Either all three, or nothing: never an end without a beginning.
        assert mine in (
            [],
            ["firing", "acknowledged", "resolved"],
            ["firing", "resolved"],
        )
        late = [k for _, alert, k in sent[acknowledged_at[number] :] if alert == number]
        assert late.count("firing") <= 1
    states = rows(db, "select distinct state from agentdb.notification")
    assert {each["state"] for each in states} <= {"sent", "cancelled"}


def until_quiet(db: Connection) -> None:
    """Wait until everything is flushed and sent."""
    waiting = (
        "select exists (select from agentdb.alert where flush) or exists (select from"
        " agentdb.notification where state = 'queued') or exists (select from"
        " agentdb.group_alert)"
    )
    while value(db, waiting):
        pass
