"""The one way of events into the database, and of questions about calls."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import psycopg
from psycopg.rows import tuple_row

from ..intake.dialect import Memory
from ..intake.event import Event
from ..intake.peer import UNPROVEN, Peer
from ..intake.problem import Problems
from ..intake.shape import shape, storable
from ..redaction import Redaction
from .errors import Away, Busy, Refused
from .queue import Queue, Result
from .settings import Settings

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

logger = logging.getLogger("agentdb.serve")

RECORD = (
    "select status, problem, run_id from agentdb.record_events(%s::jsonb, %s)"
    " order by place"
)
JUDGE = (
    "select allowed, reason, run_id, over, advice"
    " from agentdb.judge_call(%s, %s, %s, %s, %s::jsonb)"
)
PROVEN = "select agentdb.agent_of_intake(%s)"
RUNS_AS = "select agentdb.agent_of_os_user(%s)"
NOTE = "select agentdb.note_problem(%s::jsonb)"
# Faults of what was sent, by SQLSTATE: the same again fails again.
OF_THE_DATA = ("22", "23", "ZA", "P0")
# The database takes 16 MB in one call.
LARGEST = 8 << 20
PROOFS = 1000
# How often, and after how many seconds, events are tried again whose agent has locked
# something that they need: that is over when its transaction is.
TRIES, AGAIN = 10, 0.1
# How often it is asked whether the database is there, where nothing is sent.
ASKED_EVERY = 2.0


class Verdict(NamedTuple):
    """Whether a call may be made, and why not, in words for the model."""

    allowed: bool
    reason: str | None = None
    run_id: int | None = None
    #: Whether there is nothing more to do at all: somebody killed the run.
    over: bool = False
    #: What its run is advised; where it may not be made, what the reason has said.
    advice: str | None = None


class Intake:
    """Records events of peers, and judges their calls; one for all routes."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Any],
        settings: Settings,
        redaction: Redaction | None = None,
    ) -> None:
        self.settings = settings
        self.problems = Problems()
        self.queue = Queue(
            self._write,
            batch=settings.batch,
            most=settings.queued,
            size=settings.batch_size,
        )
        self.memory = Memory()
        #: Requests by path and status, and events by status, for /metrics.
        self.requests: Counter[tuple[str, int]] = Counter()
        self.events: Counter[str] = Counter()
        self.away = False
        self._asked_at = -ASKED_EVERY
        self._pool = pool
        self._redaction = redaction or Redaction.from_env()
        self._proofs: OrderedDict[tuple[str, str], tuple[float, Peer]] = OrderedDict()

    async def record(
        self,
        peer: Peer,
        events: Sequence[Event],
        recorded_by: str = "otlp",
        *,
        size: int = 0,
    ) -> list[Result]:
        """Return what became of the events, once what is kept is committed.

        `size` is what they came in, in bytes: nobody waits long for large ones.
        Whose they are is the peer's proof; a peer without one may say a name.  Raises
        Away or Full, where all of them may be sent again.
        """
        if self.away:
            raise Away("the database is away")
        given = [_of(peer, event) for event in events]
        results = await self.queue.put(given, recorded_by, size)
        for _ in range(TRIES):
            busy = [n for n, each in enumerate(results) if _is_busy(each)]
            if not busy:
                return results
            await asyncio.sleep(AGAIN)
            later = await self.queue.put([given[n] for n in busy], recorded_by, size)
            for place, result in zip(busy, later, strict=True):
                results[place] = result
        # What was recorded is repeated when all of it is sent again.
        raise Busy("a transaction of the agent is in the way")

    async def judge(
        self,
        peer: Peer,
        tool: str,
        args: Any = None,
        *,
        conversation: str | None = None,
        thread: str | None = None,
    ) -> Verdict:
        """Return whether a proven agent may make a call; raises Away, and
        Refused for a call that none can be.

        A peer without a proof stops nothing, so it is allowed.
        """
        if not peer.proven:
            return Verdict(True)
        # Arguments may be of any size here as well.
        given = await anyio.to_thread.run_sync(
            shape, {"tool": tool, "args": args}, self._redaction
        )
        names = (conversation, thread, tool)
        row = await self._ask(
            JUDGE.replace("%s::jsonb", "%s::jsonb->'args'"),
            [peer.agent, *(name and storable(name) for name in names), given],
        )
        return Verdict(*row) if row else Verdict(True)

    async def agent_of_token(self, token: str) -> Peer:
        """Return whose token it is, or UNPROVEN; raises Away where nobody can tell."""
        return await self._proof(PROVEN, token)

    async def agent_of_user(self, user: str) -> Peer:
        """Return the agent of a user of this machine, or UNPROVEN; raises Away."""
        return await self._proof(RUNS_AS, user)

    async def work(self) -> None:
        """Commit what comes, until cancelled."""
        await asyncio.gather(self.queue.work(), self._look(), self._note())

    async def _proof(self, question: str, given: str) -> Peer:
        key, now = (question, given), time.monotonic()
        if (found := self._proofs.get(key)) and now < found[0]:
            return found[1]
        row = await self._ask(question, [given])
        peer = Peer(row[0], True) if row and row[0] else UNPROVEN
        self._proofs[key] = (now + self.settings.believed, peer)
        self._proofs.move_to_end(key)
        while len(self._proofs) > PROOFS:
            self._proofs.popitem(last=False)
        return peer

    async def _ask(self, question: Any, values: list[Any]) -> tuple[Any, ...] | None:
        if self.away:
            raise Away("the database is away")
        try:
            with anyio.fail_after(self.settings.commit_within):
                async with self._pool.connection() as connection:
                    cursor = connection.cursor(row_factory=tuple_row)
                    await cursor.execute(question, values)
                    row: tuple[Any, ...] | None = await cursor.fetchone()
                    return row
        except (psycopg.Error, OSError, TimeoutError) as error:
            if _of_the_data(error):
                # Whoever asks for what cannot be must not take the database from all.
                raise Refused(str(error).splitlines()[0]) from error
            raise self._lost(error) from error

    async def _write(self, events: list[Event], recorded_by: str) -> list[Result]:
        """Commit events; those that the database refuses are told apart."""
        # Arguments may be of any size: nobody else waits for them to be looked through.
        texts = await anyio.to_thread.run_sync(self._shaped, events)
        try:
            with anyio.fail_after(self.settings.commit_within):
                async with self._pool.connection() as connection:
                    results = await self._insert(connection, texts, recorded_by)
        except (psycopg.Error, OSError, TimeoutError) as error:
            raise self._lost(error) from error
        self.events.update(result.status for result in results)
        return results

    def _shaped(self, events: list[Event]) -> list[str]:
        return [shape(event, self._redaction) for event in events]

    async def _insert(
        self, connection: AsyncConnection[Any], texts: list[str], recorded_by: str
    ) -> list[Result]:
        """Return the results of some events: halves of them where one spoils all."""
        if len(texts) > 1 and sum(map(len, texts)) > LARGEST:
            return await self._halves(connection, texts, recorded_by)
        try:
            # A transaction of its own, committed on return.
            async with connection.transaction():
                cursor = connection.cursor(row_factory=tuple_row)
                await cursor.execute(RECORD, [f"[{','.join(texts)}]", recorded_by])
                found = [Result(*row) for row in await cursor.fetchall()]
        except psycopg.Error as error:
            if not _of_the_data(error):
                raise
            if len(texts) > 1:
                return await self._halves(connection, texts, recorded_by)
            return [Result("refused", error.diag.message_primary or "refused")]
        if len(found) != len(texts):
            raise psycopg.InternalError("record_events answered for another number")
        return found

    async def _halves(
        self, connection: AsyncConnection[Any], texts: list[str], recorded_by: str
    ) -> list[Result]:
        middle = len(texts) // 2
        first = await self._insert(connection, texts[:middle], recorded_by)
        return first + await self._insert(connection, texts[middle:], recorded_by)

    async def is_there(self) -> bool:
        """Return whether the database takes events; asked at most every two seconds.

        Where nothing is sent nobody else would notice that it is away.
        """
        if not self.away and time.monotonic() - self._asked_at > ASKED_EVERY:
            self._asked_at = time.monotonic()
            try:
                await self._try()
            except (psycopg.Error, OSError, TimeoutError) as error:
                self._lost(error)
        return not self.away

    async def _try(self) -> None:
        """Do what a batch needs: a server that answers is not enough."""
        with anyio.fail_after(self.settings.commit_within):
            async with self._pool.connection() as connection:
                await connection.execute(RECORD, ["[]", "otlp"])

    def _lost(self, error: BaseException) -> Away:
        """Return what clients are told; until it is back they are told so at once."""
        if not self.away:
            logger.warning("agentdb: the database does not take events: %s", error)
        self.away = True
        return Away("the database is away")

    async def _look(self) -> None:
        """Look whether a database that was away is back."""
        while True:
            await asyncio.sleep(0.2)
            if not self.away:
                continue
            try:
                await self._try()
            except (psycopg.Error, OSError, TimeoutError):
                continue
            self.away = False
            logger.warning("agentdb: the database takes events again")

    async def _note(self) -> None:
        """Write down problems, once a second, where the database is there."""
        while True:
            await asyncio.sleep(1.0)
            while not self.away and (noted := self.problems.take()):
                try:
                    await self._ask(NOTE, [shape(noted, self._redaction)])
                except Away:
                    self.problems.back(noted)
                except Refused:
                    logger.warning("agentdb: a problem was refused: %r", noted)


def _of_the_data(error: BaseException) -> bool:
    """Return whether what was sent is at fault, and not the database."""
    if isinstance(error, psycopg.DataError):
        return True
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return (state or "").startswith(OF_THE_DATA)


def _is_busy(result: Result) -> bool:
    return result.status == "refused" and (result.problem or "").startswith("busy:")


def _of(peer: Peer, event: Event) -> Event:
    """Return an event in the name of its peer."""
    agent = peer.agent if peer.proven else event.get("agent")
    return {**event, "agent": agent, "proven": peer.proven}
