"""Alerts for tests: a rule of a DBA's own, fed by hand, and what receivers are told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .agents import Row, rows, value

if TYPE_CHECKING:
    from .conftest import Connection

CLAIM = "select * from agentdb.claim_notification('r', 1000, '7 days')"


def make_rule(db: Connection, name: str = "late", severity: str = "warning") -> None:
    """Add a rule whose instances tests give; all others are switched off."""
    db.execute(
        "update agentdb.alert_rule set enabled = false where view_name ~ '^agentdb'"
    )
    db.execute(
        f"create view public.{name} as select null::jsonb as labels, 1::float as value,"
        " null::jsonb as annotations where false".encode()
    )
    db.execute(
        "insert into agentdb.alert_rule (rule_name, description, view_name, severity,"
        " max_alerts) values (%s, 'something is late', %s, %s, 100000)",
        [name, f"public.{name}", severity],
    )


def fire(db: Connection, *who: str, rule: str = "late", **labels: str) -> list[int]:
    """Make exactly these instances fire; return the alerts' numbers in their order."""
    instances = [
        {
            "labels": {"who": w, **labels},
            "value": 1,
            "annotations": {"summary": f"{w}!"},
        }
        for w in who
    ]
    ingest(db, instances, rule)
    query = "select alert_id from agentdb.alert where rule_name = %s and labels ->> 'who' = %s"
    return [value(db, query, rule, w) for w in who] if len(who) < 50 else []


def ingest(db: Connection, instances: Sequence[Row], rule: str = "late") -> None:
    """Evaluate a rule to these instances."""
    db.execute(
        "update agentdb.alert_rule set evaluation = evaluation + 1 where rule_name = %s",
        [rule],
    )
    db.execute(
        "select agentdb.ingest(rule_name, evaluation, %s::jsonb) from agentdb.alert_rule"
        " where rule_name = %s",
        [json.dumps(instances), rule],
    )


def flush(db: Connection) -> int:
    """Flush until nothing is left, as a runner does; return how many laps that took."""
    laps = 1
    while value(db, "select agentdb.flush()") >= 500:
        laps += 1
    return laps


def claimed(db: Connection) -> list[Row]:
    """Claim what waits."""
    return rows(db, CLAIM)


def deliver(db: Connection) -> list[Row]:
    """Flush and deliver all that waits; return it in the order of its making."""
    flush(db)
    found: list[Row] = []
    while batch := claimed(db):
        for each in batch:
            mark = "select agentdb.mark_sent(%s, %s, 200)"
            assert value(db, mark, each["notification_id"], each["attempt"])
        found += batch
    return sorted(found, key=lambda each: each["notification_id"])


def told(db: Connection) -> list[tuple[str, str]]:
    """Deliver, and return receiver and kind of each message."""
    return [(each["receiver_name"], each["kind"]) for each in deliver(db)]


def kinds(db: Connection) -> list[str]:
    """Deliver, and return the kind of each message."""
    return [each["kind"] for each in deliver(db)]


def receiver(db: Connection, name: str, **columns: Any) -> None:
    """Add a receiver that is a webhook."""
    given = {
        "receiver_name": name,
        "channel": "webhook",
        "target": "https://example.org/",
        # What is told at once can be seen at once.
        "group_wait": "0",
        **columns,
    }
    names = ", ".join(given)
    places = ", ".join(f"%({key})s" for key in given)
    db.execute(
        f"insert into agentdb.receiver ({names}) values ({places})".encode(), given
    )


def later(db: Connection, by: str) -> None:
    """Let time pass for groups, acknowledgements and silences."""
    for table, columns in (
        ("alert_group", "open_at look_at told_at"),
        ("group_alert", "until_at escalate_at"),
        ("alert", "acknowledged_at acknowledged_until firing_at resolved_at"),
        ("silence", "created_at ends_at"),
        ("notification", "visible_at finished_at created_at"),
    ):
        sets = ", ".join(f"{c} = {c} - %(by)s::interval" for c in columns.split())
        db.execute(f"update agentdb.{table} set {sets}".encode(), {"by": by})
