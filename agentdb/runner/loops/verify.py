"""Looks at what agents claim: takes claims, has them looked at, records verdicts."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import psycopg
from anyio.abc import TaskGroup

from ...verify import look
from ...verify.claim import Limits
from ...verify.plugin import plugins
from ..logs import log, log_error
from ..loop import Loop
from ..session import Session, brief, session
from ..state import State
from .failing import Table, failing

if TYPE_CHECKING:
    from typing_extensions import LiteralString

ROWS = "select agentdb.verify_rows()"
# What there is to do besides claims; one statement, as idling is made of round trips.
FOUND = """
select
  agentdb.verify_rows(),
  (select coalesce(jsonb_agg(f), '[]') from agentdb.take_failed_calls() as f) as failed,
  (select jsonb_agg(u) from agentdb.take_unchecked_calls() as u) as unchecked
"""
TAKE = """
select claim_id, attempt, kind, target, expectation, run_started_at
from agentdb.take_claim(
  kinds => %(kinds)s::text[],
  lease => %(lease)s::interval,
  run => %(run)s::bigint)
"""
MESSAGE = """
select verdict, evidence
from agentdb.look_for_message(claim => %(claim)s::bigint)
"""
GIVE = """
select agentdb.give_verdict(
  claim => %(claim)s::bigint,
  attempt => %(attempt)s::integer,
  verdict => %(verdict)s::text,
  evidence => %(evidence)s::jsonb)
"""
ACCESS = """
select verdict, detail, fix
from agentdb.explain_access(
  relation => %(relation)s::text,
  privilege => %(privilege)s::text,
  role => %(role_name)s::text)
"""
NOTE = """
select agentdb.note_diagnosis(
  run => %(run_id)s::bigint,
  call => %(tool_call_log_id)s::bigint,
  diagnosis => %(diagnosis)s::jsonb)
"""
FAULTS = """
select agentdb.note_faults(faults => %(faults)s::jsonb, horizon => %(horizon)s::text)
"""
# Looks that may go on at the same time: a hanging one holds one until its deadline.
LOOKS = 4


def kinds(limits: Limits) -> list[str]:
    """Return the kinds of claims that may be looked at here.

    What is not configured is left to another runner, or alerts as unverified.
    """
    allowed = {
        "file": limits.roots,
        "http": limits.hosts,
        "command": limits.commands,
    }
    return ["message", *(kind for kind, given in allowed.items() if given), *plugins()]


class Verify(Loop):
    """Has several things looked at side by side, each in a process of its own.

    Claims first; then calls that failed for want of a file or a right.
    """

    name = "verify"

    def __init__(
        self,
        state: State,
        limits: Limits,
        tasks: TaskGroup,
        *,
        run: int | None = None,
    ) -> None:
        super().__init__(state)
        self._limits = limits
        self._kinds = kinds(limits)
        self._tasks = tasks
        self._run = run
        self._looking = 0
        # Statements that record what was seen, with their values.
        self._seen: list[tuple[LiteralString, dict[str, Any]]] = []
        self._diagnosing: set[int] = set()
        # Failed calls with what was seen of their files, and the tables of their SQL.
        self._parsed: list[
            tuple[dict[str, Any], list[dict[str, Any]], list[Table]]
        ] = []
        self._comparing = False
        self._horizon: str | None = None
        self._wake = anyio.Event()

    async def lap(self, session: Session) -> None:
        """Record what was seen, take what there is a look free for, and wait."""
        await self.turn(session)
        with anyio.move_on_after(self.state.until_poll()):
            await self.look_ended()

    async def look_ended(self) -> None:
        """Wait until a look has ended."""
        await self._wake.wait()

    async def turn(self, session: Session) -> bool:
        """Do what is due without waiting; tell whether looks are still going on."""
        self._wake = anyio.Event()
        await self._explain(session)
        await self._record(session)
        [found] = await session.rows(FOUND if self._run is None else ROWS)
        while self._looking < LOOKS and not self.state.stopping.is_set():
            if not await self._take(session):
                break
        if self._run is None:
            await self._diagnose(session, found["failed"])
            await self._compare(session, found["unchecked"])
        return bool(self._looking or self._parsed or self._seen)

    async def _record(self, session: Session) -> None:
        """Record what was seen; what the database refuses is looked at once more."""
        while self._seen:
            try:
                await session.rows(*self._seen[0])
            except psycopg.Error as error:
                log(logging.WARNING, "what was seen not recorded", error=brief(error))
            self._seen.pop(0)

    async def _take(self, session: Session) -> bool:
        lease = timedelta(seconds=2 * self._limits.deadline + 5)
        found = await session.rows(
            TAKE, {"kinds": self._kinds, "lease": lease, "run": self._run}
        )
        for claim in found:
            if claim["kind"] == "message":
                given = await session.rows(MESSAGE, {"claim": claim["claim_id"]})
                self._note(claim, given[0]["verdict"], given[0]["evidence"])
            else:
                self._looking += 1
                self._tasks.start_soon(self._safely, self._look, claim)
        return bool(found)

    async def _safely(self, work: Callable[..., Awaitable[None]], *given: Any) -> None:
        """Let no error of a look end the loops beside it; it is taken again."""
        try:
            await work(*given)
        except Exception as error:
            log_error("look failed", error)
        finally:
            self._wake.set()

    async def _look(self, claim: dict[str, Any]) -> None:
        try:
            verdict, evidence = await look.verify(
                claim["kind"],
                claim["target"],
                claim["expectation"],
                run_started_at=claim["run_started_at"],
                limits=self._limits,
            )
        finally:
            self._looking -= 1
        self._note(claim, verdict, evidence)

    def _note(
        self, claim: dict[str, Any], verdict: str, evidence: dict[str, Any]
    ) -> None:
        given = {"claim": claim["claim_id"], "attempt": claim["attempt"]}
        given |= {"verdict": verdict, "evidence": _as_json(evidence)}
        self._seen.append((GIVE, given))
        self._wake.set()

    async def _diagnose(self, session: Session, failed: list[dict[str, Any]]) -> None:
        """Begin to look into what failed, as the agent's own users would."""
        for call in failed:
            if call["tool_call_log_id"] in self._diagnosing:
                continue
            # Half of the looks at most: who fails all day must not keep claims waiting.
            if self._looking >= LOOKS or len(self._diagnosing) >= LOOKS // 2:
                continue
            self._diagnosing.add(call["tool_call_log_id"])
            self._looking += 1
            self._tasks.start_soon(self._safely, self._probe, call)

    async def _probe(self, call: dict[str, Any]) -> None:
        user, found, tables = call["os_user"], [], list[Table]()
        try:
            tables = failing(call, await look.relations(call["texts"]))
            for path in call["paths"] if user else []:
                try:
                    found.append(await look.probe(path, want="read", user=user))
                except look.Failed as error:
                    found.append({"path": path, "problem": str(error)})
        finally:
            self._looking -= 1
            self._parsed.append((call, found, tables))

    async def _explain(self, session: Session) -> None:
        """Ask what keeps the agents' roles from the tables that were found."""
        while self._parsed:
            call, files, tables = self._parsed[0]
            found: list[dict[str, Any]] = []
            for table in tables:
                asked = await _access(session, call, table)
                found += [each for each in asked if each not in found]
            found += files
            # Only now: who lost the connection meanwhile asks again.
            self._parsed.pop(0)
            self._diagnosing.discard(call["tool_call_log_id"])
            self._seen.append((NOTE, {**call, "diagnosis": _as_json(found)}))

    async def _compare(self, session: Session, found: list[dict[str, Any]]) -> None:
        """Begin to compare arguments with schemas, one batch at a time."""
        if self._comparing:
            return
        calls = [row for row in found if row["run_id"] is not None]
        if not calls:
            # Told only where it has moved: who is idle writes nothing.
            if found[0]["horizon"] != self._horizon:
                await session.rows(FAULTS, {"faults": "[]", **found[0]})
                self._horizon = found[0]["horizon"]
            return
        self._comparing = True
        self._tasks.start_soon(self._safely, self._violations, calls)

    async def _violations(self, calls: list[dict[str, Any]]) -> None:
        try:
            told = await look.compare([(c["input_schema"], c["args"]) for c in calls])
        finally:
            self._comparing = False
        faults = [
            {"run": c["run_id"], "call": c["tool_call_log_id"], "detail": detail}
            for c, detail in zip(calls, told, strict=True)
            if detail
        ]
        given = {"faults": _as_json(faults), "horizon": calls[0]["horizon"]}
        self._seen.append((FAULTS, given))


async def _access(
    session: Session, call: dict[str, Any], table: Table
) -> list[dict[str, Any]]:
    """Return what keeps the agent's role from a table."""
    relation, privilege = table
    given = {"role_name": call["role_name"], "privilege": privilege}
    try:
        found = await session.rows(ACCESS, given | {"relation": relation})
        return [dict(row) for row in found]
    except psycopg.Error as error:
        return [{"relation": relation, "problem": brief(error)}]


def _as_json(value: object) -> str:
    # PostgreSQL takes no NUL, which the output of a command may hold.
    return json.dumps(value).replace("\\u0000", "\\ufffd")


async def verify(dsn: str, limits: Limits, *, run: int | None = None) -> None:
    """Look once at everything that is due, of one run or of all."""
    state = State()
    async with session(dsn) as connection, anyio.create_task_group() as tasks:
        loop = Verify(state, limits, tasks, run=run)
        while await loop.turn(connection):
            await loop.look_ended()
