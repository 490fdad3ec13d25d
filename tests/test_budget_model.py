"""The ledger against a model: any order of reserving, settling, expiring, rolling up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from .agents import age, register, row, value
from .conftest import Connect, Connection

CAP = 10_000
TOKENS = st.integers(0, CAP // 2)


def test_ledger_agrees_with_its_model(db: Connection, connect: Connect) -> None:
    register(db)
    db.execute("update agentdb.policy set conversation_budget_tokens = %s", [CAP])
    agent = connect(db.info.dbname, "agent_a")

    class Ledger(RuleBasedStateMachine):
        """One conversation of one agent, in as many runs as it likes."""

        open = Bundle("open")

        @initialize()
        def begin(self) -> None:
            self.spent = 0
            self.held: dict[int, int] = {}
            self.settled: set[int] = set()
            self.conversation = f"c{value(db, 'select count(*) from agentdb.run')}"
            self.run = self.start()

        def start(self) -> int:
            query = "select run_id from agentdb.start_run(conversation => %s::text)"
            return int(value(agent, query, self.conversation))

        def teardown(self) -> None:
            db.execute("delete from agentdb.token_reservation")
            db.execute(
                "update agentdb.run set ended_at = now(), outcome = 'cancelled' "
                "where ended_at is null"
            )

        @rule(target=open, estimate=st.integers(1, CAP), output=TOKENS)
        def reserve(self, estimate: int, output: int) -> tuple[int, int]:
            said = row(
                agent,
                "select * from agentdb.reserve_tokens(%s::bigint, %s::bigint, %s::bigint)",
                estimate,
                output,
                self.run,
            )
            left = max(0, CAP - self.spent - sum(self.held.values()))
            assert said["granted"] == (estimate + output <= left)
            if not said["granted"]:
                assert said["tokens_left"] == left
                return (0, self.run)
            self.held[said["reservation"]] = estimate + output
            return (said["reservation"], self.run)

        @rule(reservation=open, used=TOKENS, output=TOKENS)
        def settle(self, reservation: tuple[int, int], used: int, output: int) -> None:
            number, run = reservation
            if not number or run != self.run:
                return
            said = row(
                agent,
                "select * from agentdb.settle_tokens(%s::bigint, %s::bigint, %s::bigint, "
                "run => %s::bigint)",
                number,
                used,
                output,
                run,
            )
            assert said["repeated"] == (number in self.settled)
            if number not in self.settled:
                self.spent += used + output
            self.settled.add(number)
            self.held.pop(number, None)

        @rule(used=TOKENS)
        def log(self, used: int) -> None:
            agent.execute(
                "select agentdb.log_tokens(%s, 0, run => %s)", [used, self.run]
            )
            self.spent += used

        @rule()
        def expire(self) -> None:
            age(db, "token_reservation", "expires_at", "1 hour")
            self.held.clear()

        @rule()
        def roll_up(self) -> None:
            db.execute("select agentdb.roll_up()")

        @rule()
        def next_run(self) -> None:
            agent.execute("select agentdb.end_run(run => %s)", [self.run])
            self.held.clear()
            self.run = self.start()

        @rule(used=TOKENS)
        def roll_back(self, used: int) -> None:
            with undone(agent):
                agent.execute(
                    "select agentdb.log_tokens(%s, 0, run => %s)", [used, self.run]
                )
                agent.execute(
                    "select agentdb.reserve_tokens(1, run => %s::bigint)", [self.run]
                )

        @invariant()
        def agrees(self) -> None:
            if not hasattr(self, "run"):
                return
            found = row(
                agent,
                "select * from agentdb.remaining_budget(%s) where scope = 'conversation'",
                self.run,
            )
            assert found["spent"] == self.spent
            assert found["reserved"] == sum(self.held.values())

    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@contextmanager
def undone(connection: psycopg.Connection[tuple[object, ...]]) -> Iterator[None]:
    with connection.transaction(force_rollback=True):
        yield


def test_sum_of_the_ledger_is_what_the_view_says(
    db: Connection, connect: Connect
) -> None:
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    agent.execute("select agentdb.start_run()")
    for amount in range(1, 20):
        agent.execute("select agentdb.log_tokens(%s, 1)", [amount])
        agent.execute("select agentdb.reserve_tokens(%s::bigint)", [amount])
    found = row(
        db,
        "select b.spent + b.reserved = (select sum(input_tokens + output_tokens) "
        "from agentdb.token_log) + (select sum(tokens) from agentdb.token_reservation) "
        "as agrees from agentdb.budget as b where b.scope = 'conversation'",
    )
    assert found == {"agrees": True}
