"""Two who lock the same rows do so in one order: the later waits, and nobody dies."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from .agents import register, rows, start, value
from .alerts import fire, flush, make_rule, receiver
from .conftest import Connect, Connection
from .scene import until
from .test_alert_incident import waits_for_a_lock

ID = "event_0123456789_{}"
SEEN = "agentdb._event_key('tokens', id)"


def in_turn(
    db: Connection,
    first: Connection,
    second: Connection,
    statements: tuple[str, str, str],
) -> None:
    """One takes something, another waits for it, and the one takes what comes next."""
    took, other, next_ = (statement.encode() for statement in statements)
    with ThreadPoolExecutor(1) as pool, first.transaction():
        first.execute(took)
        waiting = pool.submit(second.execute, other)
        until(lambda: waits_for_a_lock(db, second.info.backend_pid))
        first.execute(next_)
    waiting.result()


@pytest.mark.parametrize(
    ("function", "event", "key"),
    [
        ("log_tool_call_many", {"tool": "read", "call_id": ID}, "id"),
        ("log_tokens_many", {"input": 1, "response_id": ID}, SEEN),
    ],
)
def test_batches_with_the_same_events_in_another_order(
    db: Connection, connect: Connect, function: str, event: dict[str, object], key: str
) -> None:
    register(db)
    one, other = (connect(db.info.dbname, "agent_a") for _ in range(2))
    run = start(one)

    def batch(*ids: str) -> str:
        texts = ",".join(json.dumps(event).replace(ID, each) for each in ids)
        return f"select recorded from agentdb.{function}('[{texts}]', run => {run})"

    ids = [ID.format(place) for place in (1, 2)]
    ordered = rows(
        db, f"select id from unnest(%s::text[]) as i (id) order by {key}", ids
    )
    low, high = (each["id"] for each in ordered)
    in_turn(db, one, other, (batch(low), batch(high, low), batch(high)))


@pytest.fixture
def alerts(db: Connection) -> tuple[int, int]:
    """Two alerts that a receiver was told of; the second lies before the first."""
    make_rule(db)
    db.execute("update agentdb.receiver set enabled = false")
    receiver(db, "phone")
    first, second = sorted(fire(db, "a", "b"))
    flush(db)
    lying = "select alert_id from agentdb.alert order by ctid limit 1"
    # A row that changes its place in an index, too, and back.
    change = "update agentdb.alert set flush = not flush where alert_id = %s"
    while value(db, lying) == first:
        db.execute(change, [first])
        db.execute(change, [first])
    return first, second


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    "other",
    [
        "select agentdb.set_quiet_hours('phone', '22:00', '07:00')",
        "update agentdb.receiver set enabled = false where receiver_name = 'phone'",
    ],
    ids=["quiet hours", "receiver"],
)
def test_who_acknowledges_waits_for_no_one_that_waits_for_groups(
    db: Connection,
    connect: Connect,
    alerts: tuple[int, int],
    other: str,
    backwards: bool,
) -> None:
    query = "select agentdb.acknowledge_alert({}, 'mine')"
    first, second = (query.format(each) for each in sorted(alerts, reverse=backwards))
    in_turn(
        db, connect(db.info.dbname), connect(db.info.dbname), (first, other, second)
    )


@pytest.mark.parametrize(
    "other",
    [
        "update agentdb.alert_rule set enabled = false where rule_name = 'late'",
        "select agentdb.ingest(rule_name, evaluation, '[]') from agentdb.alert_rule"
        " where rule_name = 'late'",
    ],
    ids=["rule", "rows of a rule"],
)
def test_who_acknowledges_waits_for_no_one_that_waits_for_alerts(
    db: Connection, connect: Connect, alerts: tuple[int, int], other: str
) -> None:
    db.execute("update agentdb.alert_rule set keep_firing = '0'")
    first, second = (
        f"select agentdb.acknowledge_alert({each}, 'mine')" for each in alerts
    )
    in_turn(
        db, connect(db.info.dbname), connect(db.info.dbname), (first, other, second)
    )


def test_receiver_that_is_switched_off_while_its_messages_are_made(
    db: Connection, connect: Connect, alerts: tuple[int, int]
) -> None:
    # As a flush does: first the group, then the message that waits.
    group = f"select from agentdb.alert_group where alert_id = {alerts[0]} for update"
    message = (
        f"select from agentdb.notification where alert_id = {alerts[0]} for update"
    )
    off = "update agentdb.receiver set enabled = false where receiver_name = 'phone'"
    in_turn(db, connect(db.info.dbname), connect(db.info.dbname), (group, off, message))
    states = rows(db, "select distinct state from agentdb.notification")
    assert states == [{"state": "cancelled"}]
