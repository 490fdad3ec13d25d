"""What a receiver believes against a model: any order of firing, acknowledging,
silencing, flushing and delivering leaves it with the truth, told without contradiction."""

from __future__ import annotations

import os
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from .agents import Row, rows, value
from .alerts import claimed, fire, flush, later, make_rule
from .conftest import Connection

NAMES = ("a", "b", "c")
EXAMPLES = int(os.environ.get("AGENTDB_EXAMPLES", "20"))
WHO = st.sampled_from(NAMES)
CLEAR = """
truncate agentdb.alert, agentdb.alert_kin, agentdb.silenced_alert,
  agentdb.alert_group, agentdb.group_alert, agentdb.notification, agentdb.silence
"""
NUMBER = "select alert_id from agentdb.alert where labels ->> 'who' = %s"


@pytest.mark.parametrize("wait", ["0", "5 minutes"])
@pytest.mark.parametrize("group_by", ["{alert}", "{rule}"])
def test_receiver_ends_up_with_the_truth(
    db: Connection, group_by: str, wait: str
) -> None:
    make_rule(db)
    db.execute(
        "select agentdb.set_route('r', 'stdout', group_by => %s, group_interval => %s,"
        " group_wait => %s, repeat_interval => '10 minutes')",
        [group_by, wait, wait],
    )

    prefix = value(db, "select agentdb._dedup_prefix()")

    class Receiver(RuleBasedStateMachine):
        """Three alerts of one rule, one receiver, one person on call."""

        @initialize()
        def begin(self) -> None:
            db.execute(CLEAR)
            self.firing: set[str] = set()
            self.acknowledged: set[str] = set()
            self.silences: dict[int, str] = {}
            self.in_flight: list[Row] = []
            self.told: dict[str, list[str]] = defaultdict(list)

        @rule(firing=st.sets(WHO))
        def evaluate(self, firing: set[str]) -> None:
            fire(db, *sorted(firing))
            self.acknowledged -= self.firing - firing
            self.firing = firing

        @rule(who=WHO)
        def acknowledge(self, who: str) -> None:
            if who in self.firing:
                call = "select agentdb.acknowledge_alert(%s, 'mine')"
                db.execute(call, [value(db, NUMBER, who)])
                self.acknowledged.add(who)

        @rule(who=WHO)
        def unacknowledge(self, who: str) -> None:
            if who in self.acknowledged:
                call = "select agentdb.unacknowledge_alert(%s)"
                db.execute(call, [value(db, NUMBER, who)])
                self.acknowledged.remove(who)

        @rule(who=WHO)
        def silence(self, who: str) -> None:
            call = (
                "select silence_id from agentdb.silence_alerts(%s, '30 days', 'known')"
            )
            self.silences[value(db, call, f"who={who}")] = who

        @precondition(lambda self: self.silences)
        @rule()
        def end_silence(self) -> None:
            number = min(self.silences)
            db.execute("select agentdb.end_silence(%s)", [number])
            del self.silences[number]

        @rule()
        def wait(self) -> None:
            later(db, "2 minutes")

        @rule()
        def flush(self) -> None:
            flush(db)

        @rule()
        def claim(self) -> None:
            """Begin to send, and do not end yet."""
            flush(db)
            self.in_flight += claimed(db)

        @rule()
        def arrive(self) -> None:
            for each in self.in_flight:
                mark = "select agentdb.mark_sent(%s, %s)"
                assert value(db, mark, each["notification_id"], each["attempt"])
                self.hear(each)
            self.in_flight = []

        def hear(self, message: Row) -> None:
            """Take a message as PagerDuty would, and expect sense in it."""
            heard = self.told[message["dedup_key"]]
            before = heard[-1] if heard else "resolved"
            if message["kind"] == "resolved":
                assert before != "resolved"
            elif message["kind"] != "firing":
                assert before == "firing"
            heard.append(message["kind"])

        @rule()
        def settle(self) -> None:
            self.arrive()
            for _ in range(2):
                flush(db)
                while found := claimed(db):
                    self.in_flight = found
                    self.arrive()
                later(db, "6 minutes")
            groups = [{n} for n in NAMES] if group_by == "{alert}" else [set(NAMES)]
            for group in groups:
                self.agrees(group)

        def agrees(self, group: set[str]) -> None:
            firing = self.firing & group
            quiet = self.acknowledged | set(self.silences.values())
            heard = self.told[self.key(group)]
            believed = heard[-1] if heard else "resolved"
            if firing - quiet:
                assert believed == "firing"
            elif firing:
                assert believed != "firing"
            else:
                assert believed == "resolved"

        def key(self, group: set[str]) -> str:
            found = rows(db, NUMBER, min(group))
            if group_by == "{alert}":
                number = found[0]["alert_id"] if found else 0
                return f"{prefix}/A-{number}"
            query = "select coalesce(max(alert_group_id), 0) from agentdb.alert_group"
            return f"{prefix}/G-{value(db, query)}"

        def teardown(self) -> None:
            self.settle()
            flush(db)
            assert {each["kind"] for each in claimed(db)} <= {"firing"}

    run_state_machine_as_test(
        Receiver,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
