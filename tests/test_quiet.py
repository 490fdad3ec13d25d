"""Quiet hours and digests: what can wait does, and what is urgent does not."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from agentdb.channels.text import lines

from .agents import refusal, value
from .alerts import deliver, fire, kinds, later, make_rule, receiver
from .conftest import Connection

UNTIL = "select agentdb._quiet_until('phone', %s, %s::timestamptz)"
ZONE = "Europe/Vienna"


@pytest.fixture
def db(db: Connection) -> Connection:
    """A database with one receiver, and rules that warn, page and note."""
    make_rule(db)
    make_rule(db, "worse", "critical")
    make_rule(db, "note", "info")
    db.execute("update agentdb.receiver set enabled = false")
    receiver(db, "phone")
    return db


def quiet(db: Connection, begins: str, ends: str, zone: str = "UTC") -> None:
    db.execute(
        "select agentdb.set_quiet_hours('phone', %s, %s, %s)", [begins, ends, zone]
    )


def around_now(db: Connection) -> None:
    """Let it be quiet now, for another hour."""
    db.execute(
        "select agentdb.set_quiet_hours('phone',"
        " ((now() at time zone 'UTC') - interval '1 hour')::time,"
        " ((now() at time zone 'UTC') + interval '1 hour')::time)"
    )


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-29 23:30", "2026-11-30 07:00"),
        ("2026-11-30 06:59", "2026-11-30 07:00"),
        ("2026-11-30 07:00", None),
        ("2026-11-30 21:59", None),
        ("2026-11-30 22:00", "2026-12-01 07:00"),
        # The night in which clocks go forward, and that in which they go back.
        ("2026-03-29 01:30", "2026-03-29 07:00"),
        ("2026-10-25 02:30", "2026-10-25 07:00"),
    ],
)
def test_night_ends_when_the_clock_on_the_wall_says(
    db: Connection, at: str, until: str | None
) -> None:
    quiet(db, "22:00", "07:00", ZONE)
    moment = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(ZONE))
    expected = until and datetime.fromisoformat(until).replace(tzinfo=ZoneInfo(ZONE))
    found = value(db, UNTIL, "warning", moment.isoformat())
    assert found == (expected and expected.astimezone(timezone.utc))
    assert value(db, UNTIL, "critical", moment.isoformat()) is None


def test_warning_waits_for_the_morning_and_a_page_does_not(db: Connection) -> None:
    around_now(db)
    fire(db, "a")
    assert kinds(db) == []
    fire(db, "b", rule="worse")
    assert [each["payload"]["rule"] for each in deliver(db)] == ["worse"]
    # An end wakes nobody, and opens what is closed elsewhere.
    fire(db, rule="worse")
    assert kinds(db) == ["resolved"]
    db.execute("select agentdb.unset_quiet_hours('phone')")
    assert [each["payload"]["rule"] for each in deliver(db)] == ["late"]


def test_what_is_over_before_the_morning_is_not_told_then(db: Connection) -> None:
    db.execute("update agentdb.receiver set group_wait = '1 second'")
    around_now(db)
    fire(db, "a")
    assert kinds(db) == []
    fire(db)
    assert kinds(db) == []
    assert value(db, "select agentdb.unset_quiet_hours('phone')")
    later(db, "1 minute")
    assert kinds(db) == []
    assert not value(db, "select agentdb.unset_quiet_hours('phone')")


def test_warning_that_becomes_critical_at_night_is_told(db: Connection) -> None:
    around_now(db)
    fire(db, "a", run="5")
    assert kinds(db) == []
    fire(db, "a", rule="worse", run="5")
    (told,) = deliver(db)
    assert told["payload"]["severity"] == "critical"


@pytest.mark.parametrize(
    "call",
    [
        "set_quiet_hours('phone', '22:00', '22:00')",
        "set_quiet_hours('phone', null, '22:00')",
        "set_quiet_hours('phone', '22:00', '07:00', 'Mars/Olympus')",
        "set_digest('phone', null)",
        "set_digest('phone', '08:00', '')",
        "set_digest('pager', '08:00')",
        "adopt('')",
        "adopt(null)",
        "adopt('a b')",
    ],
)
def test_ill_formed_wish_is_refused_in_words(db: Connection, call: str) -> None:
    receiver(db, "pager", channel="pagerduty", target=None, secret_ref="env:KEY")
    assert refusal(db, f"select agentdb.{call}").sqlstate == "ZA004"


def test_notices_are_in_the_digest_and_nothing_else_is(db: Connection) -> None:
    db.execute("select agentdb.set_digest('phone', '08:00', 'Europe/Vienna')")
    fire(db, "a", rule="note")
    fire(db, "b")
    assert [each["payload"]["rule"] for each in deliver(db)] == ["late"]
    db.execute("update agentdb.digest set next_at = clock_timestamp()")
    (digest,) = deliver(db)
    assert digest["kind"] == "digest"
    changes = digest["payload"]["changes"]
    assert "alerts: 1, the day before 0 (late 1)" in changes
    assert "notices: 1, the day before 0 (note 1)" in changes
    said = lines(digest["payload"])
    assert said[0] == "[INFO] digest"
    assert said[1].startswith("the day until 20")
    assert " UTC (the day before): alerts 1 (0), " in said[1]
    assert said[2:] == [
        *changes,
        "2 firing",
        "next: agentdb digest",
        "next: agentdb alerts",
    ]
    assert kinds(db) == []
    due = value(db, "select next_at from agentdb.digest").astimezone(ZoneInfo(ZONE))
    assert (due.hour, due.minute) == (8, 0) and due > datetime.now(timezone.utc)
    assert value(db, "select agentdb.unset_digest('phone')")
    fire(db, "c", rule="note")
    assert "note" in [each["payload"]["rule"] for each in deliver(db)]


def test_change_is_counted_in_its_own_day_or_in_the_one_before(db: Connection) -> None:
    fire(db, "a")
    fire(db)
    found = "select now, before from agentdb.changed_since(%s) where what = 'alerts'"
    row = db.execute(found, [datetime.now(timezone.utc)]).fetchone()
    assert row is None or tuple(row) == (0, 0)
    db.execute("update agentdb.alert_log set comment = comment where false")
    just = value(db, "select clock_timestamp() - interval '1 minute'")
    assert tuple(db.execute(found, [just]).fetchone() or ()) == (1, 0)


def test_receiver_that_is_not_there_is_named(db: Connection) -> None:
    call = "select agentdb.set_quiet_hours('{}', '08:00', '09:00', 'UTC', '{}')"
    refused = refusal(db, call.format("nobody", "info"))
    assert refused.sqlstate == "ZA006"
    assert "phone" in (refused.message_hint or "")
    refused = refusal(db, call.format("phone", "bad"))
    assert refused.sqlstate == "ZA004"


@pytest.mark.parametrize(
    ("rule", "told"), [("late", []), ("worse", ["firing", "resolved"])]
)
def test_what_came_and_went_within_quiet_hours_wakes_nobody_unless_critical(
    db: Connection, rule: str, told: list[str]
) -> None:
    around_now(db)
    fire(db, "a", rule=rule)
    fire(db, rule=rule)
    assert kinds(db) == told
    db.execute("select agentdb.unset_quiet_hours('phone')")
    assert kinds(db) == []


@pytest.mark.parametrize(
    "hold",
    [
        "select agentdb.silence_alerts('who=a', '1 hour', 'known')",
        "select agentdb.acknowledge_alert((select min(alert_id) from agentdb.alert),"
        " 'looking', '1 hour')",
    ],
    ids=["silence", "acknowledgement"],
)
def test_what_is_critical_comes_back_within_quiet_hours(
    db: Connection, hold: str
) -> None:
    around_now(db)
    fire(db, "a", rule="worse")
    assert kinds(db) == ["firing"]
    db.execute(hold.encode())
    assert len(kinds(db)) == 1
    later(db, "61 minutes")
    assert kinds(db) == ["firing"]


def test_what_is_no_page_waits_when_its_silence_ends(db: Connection) -> None:
    around_now(db)
    fire(db, "a")
    db.execute("select agentdb.silence_alerts('who=a', '1 minute', 'known')")
    later(db, "2 minutes")
    assert kinds(db) == []
    db.execute("select agentdb.unset_quiet_hours('phone')")
    assert kinds(db) == ["firing"]


def test_what_is_critical_and_acknowledged_makes_no_page_of_a_warning_beside_it(
    db: Connection,
) -> None:
    around_now(db)
    (page,) = fire(db, "a", rule="worse", run="5")
    assert kinds(db) == ["firing"]
    db.execute("select agentdb.acknowledge_alert(%s, 'mine', '1 hour')", [page])
    assert kinds(db) == ["acknowledged"]
    fire(db, "b", run="5")
    later(db, "1 minute")
    assert kinds(db) == []
    # It comes back as it went, whatever waits beside it.
    later(db, "61 minutes")
    assert kinds(db) == ["firing"]
