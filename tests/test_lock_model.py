"""Locks behave as a model of them does, whatever several holders do, and time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from .agents import register, row, rows, start
from .conftest import Connect, Connection
from .servers import Server
from .test_lock import acquire, let_pass, outcomes, release, renew

TTL = 60
HOLDERS = st.integers(0, 2)


@dataclass
class Model:
    """A lock as it should be."""

    holder: int | None = None
    fence: int = 0
    left: float = 0
    depth: int = 0
    ended: int = 0
    cooling: float = 0


class Locks(RuleBasedStateMachine):
    """Three runs of two agents and one lock."""

    db: Connection
    sessions: list[Connection]
    runs: list[int]

    @initialize()
    def begin(self) -> None:
        self.db.execute("alter table agentdb.lock_log disable trigger all")
        self.db.execute("delete from agentdb.lock_log")
        self.db.execute("alter table agentdb.lock_log enable trigger all")
        self.db.execute("delete from agentdb.lock")
        self.db.execute("alter table agentdb.lock_log disable trigger all")
        self.db.execute("delete from agentdb.lock_log")
        self.db.execute("alter table agentdb.lock_log enable trigger all")
        self.model = Model()
        self.fences = [1, 1, 1]

    def take(self, who: int, fence: int | None) -> None:
        got = acquire(
            self.sessions[who], ttl=f"{TTL} s", fence=fence, run=self.runs[who]
        )
        model = self.model
        live = model.left > 0
        if live and model.holder == who and fence == model.fence:
            assert got["outcome"] == "reentered"
            model.depth += 1
        elif model.holder is not None and live:
            assert got["outcome"] == "held"
        elif model.holder is None and model.cooling > 0:
            assert got["outcome"] == "cooling"
        else:
            stale = model.holder is not None
            assert got["outcome"] == ("taken_over" if stale else "acquired")
            assert got["fence"] > model.fence
            model.ended += stale
            model.holder, model.fence, model.left = who, got["fence"], TTL
            model.depth, model.cooling = 1, 0
            self.fences[who] = got["fence"]
        assert got["acquired"] == (got["fence"] is not None)

    @rule(who=HOLDERS)
    def acquire(self, who: int) -> None:
        self.take(who, None)

    @rule(who=HOLDERS, of=HOLDERS)
    def acquire_with_a_fence(self, who: int, of: int) -> None:
        self.take(who, self.fences[of])

    @rule(who=HOLDERS, of=HOLDERS)
    def renew(self, who: int, of: int) -> None:
        fence = self.fences[of]
        got = renew(self.sessions[who], fence, ttl=f"{TTL} s", run=self.runs[who])
        ours = self.model.holder == who and self.model.fence == fence
        assert got["renewed"] == ours
        assert got["outcome"] == ("renewed" if ours else "lost")
        if ours:
            self.model.left = TTL

    @rule(who=HOLDERS, of=HOLDERS, cooling=st.sampled_from([None, 30, 90]))
    def release(self, who: int, of: int, cooling: int | None) -> None:
        fence, model = self.fences[of], self.model
        at_least = None if cooling is None else f"{cooling} s"
        held = row(
            self.db,
            "select coalesce(extract(epoch from clock_timestamp() - max(acquired_at)), 0)"
            "::float as age from agentdb.lock",
        )["age"]
        got = release(self.sessions[who], fence, at_least=at_least, run=self.runs[who])
        ours = model.holder == who and model.fence == fence
        if not ours:
            assert got["outcome"] == "lost"
            return
        model.depth -= 1
        assert got["released"] == (model.depth == 0)
        if model.depth == 0:
            model.holder, model.left = None, 0
            model.cooling = max((cooling or 0) - held, 0)
            model.ended += 1

    @rule()
    def force(self) -> None:
        try:
            self.db.execute("select agentdb.force_release_lock('l', 'test')")
        except psycopg.Error as error:
            assert error.sqlstate == "ZA006" and self.model.fence == 0
            return
        self.model.ended += self.model.holder is not None
        self.model.holder, self.model.left, self.model.cooling = None, 0, 0

    @rule(who=HOLDERS)
    def crash(self, who: int) -> None:
        """A transaction that acquires and never commits leaves nothing behind."""
        with self.sessions[who].transaction(force_rollback=True):
            acquire(self.sessions[who], run=self.runs[who])

    @rule(seconds=st.sampled_from([7, 40, 70]))
    def time_passes(self, seconds: int) -> None:
        let_pass(self.db, f"{seconds} s")
        self.model.left -= seconds
        self.model.cooling -= seconds

    @invariant()
    def log_replays_to_the_state(self) -> None:
        assert len(outcomes(self.db)) == self.model.ended
        found = rows(
            self.db,
            "select run_id, fence, ended_at from agentdb.lock_history order by fence",
        )
        fences = [each["fence"] for each in found]
        assert fences == sorted(set(fences))
        lasting = [each for each in found if each["ended_at"] is None]
        holders = [self.runs.index(each["run_id"]) for each in lasting]
        expected = [] if self.model.holder is None else [self.model.holder]
        assert holders == expected
        assert all(each["fence"] == self.model.fence for each in lasting)


@pytest.fixture
def machine(db: Connection, connect: Connect, server: Server) -> Iterator[type[Locks]]:
    """The machine at work on a fresh database."""
    register(db)
    register(db, "b", "agent_b")
    roles = ("agent_a", "agent_a", "agent_b")
    with ExitStack():
        sessions = [connect(db.info.dbname, role) for role in roles]
        Locks.db, Locks.sessions = db, sessions
        Locks.runs = [start(session) for session in sessions]
        yield Locks


def test_locks_are_as_their_model(machine: type[Locks]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
