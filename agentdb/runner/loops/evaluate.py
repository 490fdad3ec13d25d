"""Evaluates the rules that are due."""

from __future__ import annotations

import json
import logging

import anyio
import psycopg

from ..logs import log
from ..loop import Loop
from ..session import SLOW, Lost, Session, brief
from ..state import State
from .flush import flush, wake
from .rule import Answer, Rule, ask, complaint

ROLL_UP_EVERY = 5.0
# Statements are prepared only where that is asked for.
ON_REQUEST = 1_000_000
# Between two looks at a rule that somebody else has just claimed.
TAKEN = 0.05
# How long an evaluator waits for its turn without asking whether the server answers.
PATIENCE = 5.0

# Columns by name: a runner may meet a newer release that returns more.
CLAIM = """
select rule_name, query, evaluation, timeout_ms, max_alerts, next_due_ms
from agentdb.claim_rule()
"""
INGEST = """
select * from agentdb.ingest(
  rule_name => %(rule)s::text,
  evaluation => %(evaluation)s::bigint,
  instances => %(instances)s::jsonb,
  truncated => %(truncated)s::boolean,
  duration_ms => %(duration)s::double precision)
"""
FAIL = """
select * from agentdb.fail_rule(
  rule_name => %(rule)s::text,
  evaluation => %(evaluation)s::bigint,
  error => %(error)s::text)
"""


class Evaluate(Loop):
    """Claims a rule, asks it, and hands what it sees to the database."""

    name = "evaluate"

    def __init__(self, state: State, number: int = 1) -> None:
        super().__init__(state, number)
        # Kept over a lost connection, which the rule itself may have caused.
        self._failures: list[tuple[Rule, str]] = []

    async def start(self, session: Session) -> None:
        """Let rules be prepared: planning one takes longer than many a rule itself."""
        if not await session.pooled():
            session.connection.prepare_threshold = ON_REQUEST

    async def lap(self, session: Session) -> None:
        """Evaluate a rule, or wait until one is due."""
        await self._record_failures(session)
        await self._roll_up(session)
        if rule := await self._next(session):
            await self._evaluate(session, rule)

    async def _next(self, session: Session) -> Rule | None:
        """Wait for a rule to be due, or for the turn to do so."""
        try:
            with anyio.fail_after(PATIENCE):
                await self.state.claiming.acquire()
        except TimeoutError:
            await session.value("select 1")
            return None
        try:
            return await self._claim(session)
        finally:
            self.state.claiming.release()

    async def _claim(self, session: Session) -> Rule | None:
        """Claim the rule that is due; where there is none yet, wait for it."""
        state = self.state
        wait = min(state.due_at - anyio.current_time(), state.until_poll())
        if wait > 0:
            await state.pause(wait)
        if state.stopping.is_set():
            return None
        soonest = 0.0
        if state.due_at <= anyio.current_time():
            if rows := await session.rows(CLAIM):
                state.due_at = anyio.current_time() + rows[0]["next_due_ms"] / 1000
                return Rule(**rows[0])
            soonest = TAKEN
        due_in = await session.value("select * from agentdb.next_evaluation_ms()")
        state.due_at = anyio.current_time() + max(due_in / 1000, soonest)
        return None

    async def _evaluate(self, session: Session, rule: Rule) -> None:
        try:
            moved = await _ingest(session, rule, await ask(session, rule))
        except Exception as error:
            log(logging.WARNING, "rule failed", rule=rule.rule_name, error=brief(error))
            self._failures.append((rule, complaint(rule, error)))
            if isinstance(error, Lost):
                raise
            await self._record_failures(session)
        else:
            if moved:
                log(logging.INFO, "alerts moved", rule=rule.rule_name, **moved)
                await self._announce(session)

    async def _record_failures(self, session: Session) -> None:
        while self._failures:
            rule, text = self._failures[0]
            binds = {"rule": rule.rule_name, "evaluation": rule.evaluation}
            try:
                await session.rows(FAIL, {**binds, "error": text})
            except psycopg.Error as error:
                log(logging.ERROR, "failure of a rule not recorded", error=brief(error))
            self._failures.pop(0)

    async def _announce(self, session: Session) -> None:
        """Send at once; what goes wrong here the flush loop makes good."""
        try:
            if await flush(session):
                self.state.wake.set()
                await wake(session, "agentdb_notification")
        except psycopg.Error as error:
            log(logging.WARNING, "flush failed", error=brief(error))

    async def _roll_up(self, session: Session) -> None:
        """Advance the rollups that rules read, which can do without for a while."""
        now = anyio.current_time()
        if now - self.state.rolled_up_at < ROLL_UP_EVERY:
            return
        self.state.rolled_up_at = now
        try:
            await session.rows("select * from agentdb.roll_up()", deadline=SLOW)
            await session.rows("select * from agentdb.close_gone_runs()")
        except psycopg.Error as error:
            log(logging.WARNING, "roll-up failed", error=brief(error))


async def _ingest(session: Session, rule: Rule, answer: Answer) -> dict[str, int]:
    """Hand in the answer; return how many alerts changed into which state."""
    rows = await session.rows(
        INGEST,
        {
            "rule": rule.rule_name,
            "evaluation": rule.evaluation,
            "instances": json.dumps(answer.instances),
            "truncated": answer.truncated,
            "duration": answer.duration_ms,
        },
        deadline=SLOW,
    )
    return {state: count for row in rows for state, count in row.items() if count}
