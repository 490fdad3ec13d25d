"""Runners and people who are at the same groups at once wait, and nobody dies of it."""

from __future__ import annotations

import threading
from random import Random

import psycopg

from .alerts import fire, make_rule, receiver
from .conftest import Connect, Connection

LAPS = 40
FLUSH = "select agentdb.flush(5)"
PICKED = (
    "(select min(alert_id) from (select alert_id from agentdb.alert"
    " where state = 'firing' order by random() limit 1) as a)"
)
ACKNOWLEDGE = f"select agentdb.acknowledge_alert({PICKED}, 'mine')"
RESOLVE = f"select agentdb.resolve_alert({PICKED}, 'over')"
# Whoever was told long ago and did not answer; rows that somebody has are left alone.
OVERDUE = (
    "update agentdb.group_alert as m set escalate_at = now() where (alert_group_id,"
    " alert_id) in (select alert_group_id, alert_id from agentdb.group_alert"
    " where escalate_at is not null for update skip locked)"
)


def test_nobody_deadlocks_over_groups(db: Connection, connect: Connect) -> None:
    """Alerts come, escalate and go while others flush, acknowledge and resolve."""
    make_rule(db)
    db.execute("update agentdb.alert_rule set keep_firing = '0'")
    receiver(db, "boss")
    receiver(db, "second", escalate_after="10 seconds", escalate_to="boss")
    stop = threading.Event()
    failed: list[psycopg.Error] = []

    def repeat(session: Connection, statement: str) -> None:
        while not (stop.is_set() or failed):
            try:
                session.execute(statement.encode())
            except psycopg.Error as error:
                # That somebody else has resolved it already is an answer.
                if not (error.sqlstate or "").startswith("ZA"):
                    failed.append(error)

    threads = [
        threading.Thread(
            target=repeat, args=(connect(db.info.dbname, "operator_o"), statement)
        )
        for statement in (FLUSH, FLUSH, FLUSH, ACKNOWLEDGE, RESOLVE)
    ]
    for thread in threads:
        thread.start()
    dice = Random(1)
    try:
        for _ in range(LAPS):
            fire(db, *{f"w{dice.randrange(60)}" for _ in range(20)})
            db.execute(OVERDUE.encode())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
    assert db.execute("select from agentdb.notification limit 1").rowcount == 1
