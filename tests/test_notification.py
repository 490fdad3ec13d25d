"""Every change of an alert reaches every receiver at least once, under one key."""

from __future__ import annotations

import threading

import pytest

from .agents import Row, age, refusal, row, rows, value
from .conftest import Connect, Connection

CLAIM = "select * from agentdb.claim_notification('r1', 10, '30 seconds')"


@pytest.fixture
def hook(db: Connection) -> None:
    """A second receiver beside stdout."""
    db.execute(
        "insert into agentdb.receiver (receiver_name, channel, target, min_severity, "
        "group_wait) values ('hook', 'webhook', 'https://example.org/hook', 'critical', "
        "'0')"
    )


def alert(db: Connection, state: str = "firing", severity: str = "warning") -> int:
    """Make an alert whose change has not been told yet."""
    return int(
        value(
            db,
            "insert into agentdb.alert (rule_name, fingerprint, labels, annotations, value,"
            " severity, state, active_at, firing_at, seen_at, flush) "
            "values ('no_progress', gen_random_uuid()::text, '{\"run\": \"12\"}',"
            ' \'{"summary": "silent", "policy": "default"}\', \'NaN\', %s, %s,'
            " '2026-01-02 03:04:05Z', '2026-01-02 03:04:05Z', now(), true) "
            "returning alert_id",
            severity,
            state,
        )
    )


def claim(db: Connection) -> Row:
    (claimed,) = rows(db, CLAIM)
    return claimed


def test_firing_alert_becomes_one_message_a_receiver(
    db: Connection, hook: None
) -> None:
    number = alert(db, severity="critical")
    # A group a receiver.
    assert value(db, "select agentdb.flush()") == 2
    assert value(db, "select agentdb.flush()") == 0
    told = rows(db, CLAIM)
    assert sorted(each["receiver_name"] for each in told) == ["hook", "stdout"]
    installation = value(
        db, "select left(installation_id::text, 8) from agentdb.installation"
    )
    assert {each["dedup_key"] for each in told} == {
        f"agentdb/{installation}/{db.info.dbname}/A-{number}"
    }
    assert told[0]["payload"] == {
        "version": 1,
        "kind": "firing",
        "alert": number,
        "episode": 1,
        "rule": "no_progress",
        "severity": "critical",
        "labels": {"run": "12"},
        "summary": "silent",
        "value": None,
        "since": "2026-01-02T03:04:05Z",
        "annotations": {"policy": "default"},
        "diagnosis": [],
        "remedy": [
            "See what it does instead; stop it if nothing will come of it.",
            "agentdb timeline 12",
            "agentdb kill 12 --reason …",
        ],
        "command": "agentdb kill 12 --reason …",
        "ends_when": "run 12 shows a new step or an audited write, or ends",
        "next": [
            f"agentdb why A-{number}",
            "agentdb timeline 12",
            f"agentdb ack A-{number} -m …",
        ],
    }


def test_receiver_hears_what_is_severe_enough(db: Connection, hook: None) -> None:
    alert(db, severity="warning")
    db.execute("select agentdb.flush()")
    assert [each["receiver_name"] for each in rows(db, CLAIM)] == ["stdout"]


def test_resolution_goes_to_those_who_want_it(db: Connection, hook: None) -> None:
    db.execute(
        "update agentdb.receiver set min_severity = 'info', "
        "send_resolved = receiver_name = 'hook'"
    )
    number = alert(db)
    db.execute("select agentdb.flush()")
    db.execute("update agentdb.alert set state = 'resolved', flush = true")
    db.execute("select agentdb.flush()")
    query = "select receiver_name, kind from agentdb.notification where alert_id = %s order by 1, 2"
    assert [tuple(each.values()) for each in rows(db, query, number)] == [
        ("hook", "firing"),
        ("hook", "resolved"),
        ("stdout", "firing"),
    ]


def test_what_fired_and_went_between_two_flushes_is_told(db: Connection) -> None:
    alert(db, state="resolved")
    db.execute("select agentdb.flush()")
    first = claim(db)
    assert first["kind"] == "firing"
    # The end is not told before the beginning has arrived.
    assert rows(db, CLAIM) == []
    db.execute("select agentdb.mark_sent(%s, %s)", [first["notification_id"], 1])
    assert claim(db)["kind"] == "resolved"


def test_claim_is_a_lease(db: Connection) -> None:
    alert(db)
    db.execute("select agentdb.flush()")
    first = claim(db)
    assert rows(db, CLAIM) == []
    age(db, "notification", "visible_at", "31 seconds")
    second = claim(db)
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert first["idempotency_key"] == second["idempotency_key"]
    late = "select agentdb.mark_sent(%s, 1, 200)"
    assert value(db, late, first["notification_id"]) is False
    assert value(db, "select agentdb.mark_sent(%s, 2, 200)", first["notification_id"])
    assert value(db, "select state from agentdb.notification") == "sent"


def test_failure_waits_longer_each_time_and_ends_dead(db: Connection) -> None:
    alert(db)
    db.execute("update agentdb.notification set max_attempts = 3")
    db.execute("select agentdb.flush()")
    db.execute("update agentdb.notification set max_attempts = 3")
    waits = []
    for attempt in (1, 2, 3):
        number = claim(db)["notification_id"]
        state = value(
            db, "select agentdb.mark_failed(%s, %s, 503, 'busy')", number, attempt
        )
        waits.append(
            value(
                db,
                "select extract(epoch from visible_at - now())::float "
                "from agentdb.notification",
            )
        )
        age(db, "notification", "visible_at", "1 hour")
    assert state == "dead"
    assert 0.4 < waits[0] < 1.1 < waits[2] < 4.1
    assert row(db, "select state, status, error from agentdb.notification") == {
        "state": "dead",
        "status": 503,
        "error": "busy",
    }


def test_wish_of_the_receiver_is_honoured_up_to_an_hour(db: Connection) -> None:
    alert(db)
    db.execute("select agentdb.flush()")
    for wish, seconds in (("7 seconds", 7), ("2 days", 3600)):
        found = claim(db)
        db.execute(
            "select agentdb.mark_failed(%s, %s, 429, 'slow', false, %s::text::interval)",
            [found["notification_id"], found["attempt"], wish],
        )
        wait = value(
            db,
            "select extract(epoch from visible_at - clock_timestamp())::float"
            " from agentdb.notification",
        )
        assert seconds - 2 < wait <= seconds
        age(db, "notification", "visible_at", "3 days")


def test_permanent_failure_is_dead_at_once(db: Connection) -> None:
    alert(db)
    db.execute("select agentdb.flush()")
    query = "select agentdb.mark_failed(%s, 1, 404, 'gone', permanent => true)"
    assert value(db, query, claim(db)["notification_id"]) == "dead"


def test_runner_that_always_dies_does_not_keep_a_message_for_ever(
    db: Connection,
) -> None:
    alert(db)
    db.execute("select agentdb.flush()")
    db.execute("update agentdb.notification set attempt = max_attempts")
    assert rows(db, CLAIM) == []
    db.execute("select agentdb.flush()")
    assert value(db, "select state from agentdb.notification") == "dead"


def test_busy_receivers_are_skipped(db: Connection, hook: None) -> None:
    alert(db, severity="critical")
    db.execute("select agentdb.flush()")
    query = "select receiver_name from agentdb.claim_notification('r', 10, '30 s', '{hook}')"
    assert rows(db, query) == [{"receiver_name": "stdout"}]


def test_claims_in_a_race_share_nothing(db: Connection, connect: Connect) -> None:
    # By a route, a storm too is told one by one.
    db.execute("select agentdb.set_route('each', 'stdout')")
    for _ in range(40):
        alert(db)
    db.execute("select agentdb.flush()")
    claimed: list[int] = []

    def work() -> None:
        session = connect(db.info.dbname, "operator_o")
        while found := rows(
            session,
            "select notification_id from "
            "agentdb.claim_notification('r', 3, '30 seconds')",
        ):
            claimed.extend(each["notification_id"] for each in found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 40


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "ftp://example.org",
        "https://",
        "https://user:secret@example.org/",
        "https://user@example.org",
        "https://a b",
        "not a url",
        "env:",
        "file:relative",
    ],
)
def test_odd_targets_are_refused(db: Connection, target: str | None) -> None:
    refused = refusal(
        db,
        "insert into agentdb.receiver (receiver_name, channel, target) "
        "values ('x', 'webhook', %s)",
        target,
    )
    assert refused.sqlstate == "23514"


@pytest.mark.parametrize("user", ["agent_a", "auditor_u", "reviewer_r", "app_user"])
def test_outbox_is_the_operators(db: Connection, connect: Connect, user: str) -> None:
    session = connect(db.info.dbname, user)
    for call in (
        "flush()",
        "claim_notification('x')",
        "mark_sent(1, 1)",
        "claim_rule()",
    ):
        refused = refusal(session, f"select agentdb.{call}")
        assert refused.sqlstate == "42501"
