"""What is switched off ends at once; what is tried again keeps its count; silences."""

from __future__ import annotations

import pytest

from .agents import rows, value
from .alerts import claimed, deliver, fire, flush, kinds, make_rule, receiver
from .conftest import Connection

ON = "update agentdb.receiver set enabled = true where receiver_name = 'phone'"
ALERTS = "select state, end_reason from agentdb.alert order by alert_id"


@pytest.fixture
def db(db: Connection) -> Connection:
    """A database with a rule, and one receiver."""
    make_rule(db)
    db.execute("update agentdb.receiver set enabled = false")
    receiver(db, "phone")
    return db


def test_rule_that_is_switched_off_ends_its_alerts(db: Connection) -> None:
    fire(db, "a", "b")
    assert kinds(db) == ["firing", "firing"]
    db.execute("set role operator_o")
    db.execute("update agentdb.alert_rule set enabled = false where rule_name = 'late'")
    db.execute("reset role")
    for alert in rows(db, ALERTS):
        assert alert["state"] == "resolved"
        assert alert["end_reason"].startswith("rule late was switched off by ")
    ends = deliver(db)
    assert [each["kind"] for each in ends] == ["resolved", "resolved"]
    assert "switched off" in ends[0]["payload"]["ended_by"]
    db.execute("update agentdb.alert_rule set enabled = true where rule_name = 'late'")
    fire(db, "a")
    assert kinds(db) == ["firing"]


def test_rule_that_is_switched_off_has_no_alerts_of_an_evaluation_on_its_way(
    db: Connection,
) -> None:
    fire(db, "a")
    asked = "select alerts from agentdb.alert_rule where rule_name = 'late'"
    assert value(db, asked) == 1
    began = value(db, asked.replace("alerts", "evaluation"))
    db.execute("update agentdb.alert_rule set enabled = false")
    late = (
        "select count(*) from agentdb.ingest('late', %s,"
        ' \'[{"labels": {"who": "b"}, "value": 1, "annotations": {}}]\')'
    )
    assert value(db, late, began) == 0
    assert value(db, asked) == 0
    assert value(db, "select count(*) from agentdb.active_alert") == 0


def test_receiver_that_is_switched_off_gets_nothing_that_is_queued(
    db: Connection,
) -> None:
    fire(db, "a")
    flush(db)
    db.execute("update agentdb.receiver set enabled = false")
    assert claimed(db) == []
    (message,) = rows(db, "select state, error from agentdb.notification")
    assert message["state"] == "cancelled"
    assert message["error"].startswith("receiver phone was switched off by ")
    fire(db, "a", "b")
    assert kinds(db) == []
    # It was told of neither; now both are news to it.
    db.execute(ON)
    assert kinds(db) == ["firing", "firing"]


def test_message_that_is_being_sent_when_its_receiver_is_switched_off(
    db: Connection,
) -> None:
    fire(db, "a")
    flush(db)
    (sent,) = claimed(db)
    db.execute("update agentdb.receiver set enabled = false")
    mark = "select agentdb.mark_failed(%s, %s, 500, 'down')"
    value(db, mark, sent["notification_id"], sent["attempt"])
    db.execute("update agentdb.notification set visible_at = now()")
    assert claimed(db) == []
    db.execute(ON)
    assert kinds(db) == ["firing"]


def test_message_that_is_tried_again_keeps_its_count(db: Connection) -> None:
    fire(db, "a")
    flush(db)
    (sent,) = claimed(db)
    number = sent["notification_id"]
    value(db, "select agentdb.mark_failed(%s, 1, 400, 'no', permanent => true)", number)
    db.execute("select agentdb.retry_notification(%s)", [number])
    (again,) = claimed(db)
    assert (again["notification_id"], again["attempt"]) == (number, 2)
    assert value(db, "select max_attempts from agentdb.notification") == 13


def silence(db: Connection, matchers: str) -> int:
    found = "select silence_id from agentdb.silence_alerts(%s, '1 hour', 'known')"
    return int(value(db, found, matchers))


@pytest.mark.parametrize(
    ("matchers", "silent"),
    [
        ("rule=late", True), ("agent=x", True), ("agent=x,rule=late", True),
        ("agent=y", False), ("rule=other", False), ("who~^a", True),
        ("severity=warning,agent!=y", True), ("agent=x,who=b", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", ["silence", "alert"])
def test_silence_holds_whichever_comes_first(
    db: Connection, matchers: str, silent: bool, first: str
) -> None:
    if first == "silence":
        silence(db, matchers)
    fire(db, "a", agent="x")
    if first == "alert":
        flush(db)
        silence(db, matchers)
    assert kinds(db) == ([] if silent else ["firing"])
    alerts = value(db, "select alerts from agentdb.active_silence")
    assert alerts == int(silent)


def test_silence_follows_an_alert_that_becomes_what_it_is_about(db: Connection) -> None:
    silence(db, "severity=critical")
    fire(db, "a")
    assert kinds(db) == ["firing"]
    db.execute("update agentdb.alert_rule set severity = 'critical'")
    fire(db, "a")
    assert kinds(db) == ["silenced"]


def test_many_silences_cost_an_evaluation_no_look_at_every_alert(
    db: Connection,
) -> None:
    """A poll visits rows in proportion to what is new, not to silences times alerts."""
    from .agents import visited

    db.execute("select agentdb.set_route('all', 'phone', '', '{}')")
    fire(db, *(f"w{i}" for i in range(300)), agent="x")
    for number in range(100):
        silence(db, f"agent=a{number}")
    deliver(db)
    fire(db, *(f"w{i}" for i in range(300)), agent="x")
    assert visited(db, "select agentdb.flush()") < 3_000
    assert visited(db, "select * from agentdb.silence_ending") < 5_000
