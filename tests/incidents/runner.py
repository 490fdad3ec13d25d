"""A runner that takes its turns when it is told.

It does what `agentdb run` does: houses, verifies, evaluates the rules that are due,
flushes as soon as one has moved, and sends.  Evaluation is a procedure in the database,
as hours of an incident are hundreds of turns of forty rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

import psycopg
from anyio.abc import TaskGroup

from agentdb.channels import Notification
from agentdb.channels.text import lines
from agentdb.runner.loop import BEAT
from agentdb.runner.loops.flush import ENFORCE
from agentdb.runner.loops.marks import FAILED, SENT
from agentdb.runner.loops.schedule import set_schedules
from agentdb.runner.loops.send import CLAIM
from agentdb.runner.loops.verify import Verify
from agentdb.runner.session import SLOW, Session, session
from agentdb.runner.state import State
from agentdb.verify.claim import Limits

from .clock import ClockedServer

MAINTAIN_EVERY = timedelta(hours=1)
BEAT_EVERY = timedelta(seconds=60)
LOOPS = ("evaluate", "flush", "send", "verify", "listen")
# The receiver that we listen to; those of the other name take nothing.
HEARD, DEAF = "stdout", "deaf"
Found = TypeVar("Found")

# Each rule is a function with a plan of its own, as the runner prepares each.
EVALUATE = """
create schema played;
grant usage, create on schema played to agentdb_operator;
create procedure played.evaluate() language plpgsql as $evaluate$
declare
  rule record;
  found jsonb;
  moved record;
begin
  loop
    select * into rule from agentdb.claim_rule();
    exit when rule.rule_name is null;
    commit;
    begin
      if to_regprocedure(format('played.%I()', rule.rule_name)) is null then
        execute format('create function played.%I() returns jsonb language plpgsql '
          'as $$ begin return (%s); end $$', rule.rule_name, rule.query);
      end if;
      execute format('select played.%I()', rule.rule_name) into found;
    exception when others then
      perform agentdb.fail_rule(rule.rule_name, rule.evaluation, sqlerrm);
      found := null;
    end;
    if found is not null then
      select * into moved from agentdb.ingest(rule.rule_name, rule.evaluation, found);
      commit;
      if to_jsonb(moved) @? '$.* ? (@ > 0)' then
        perform agentdb.flush();
      end if;
    end if;
    commit;
  end loop;
  perform agentdb.flush();
end;
$evaluate$;
grant execute on procedure played.evaluate() to agentdb_operator;
"""


@dataclass(frozen=True)
class Message:
    """What the receiver was sent, and when."""

    at: datetime
    kind: str
    payload: dict[str, Any]

    @property
    def text(self) -> str:
        """The message as it is read."""
        return "\n".join(lines(self.payload))

    @property
    def rule(self) -> str:
        """The rule that the message leads with."""
        worst = self.payload.get("worst") or [{}]
        return str(self.payload.get("rule") or worst[0].get("rule") or "")

    @property
    def severity(self) -> str:
        """How bad it says that it is."""
        return str(self.payload.get("severity"))


class Tasks:
    """Starts what `Verify` has looked at, on the loop that runs."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Future[None]] = set()

    def start_soon(self, work: Callable[..., Awaitable[None]], *given: Any) -> None:
        """Start something, which ends before the turn does."""
        self._tasks.add(task := asyncio.ensure_future(work(*given)))
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> bool:
        """Wait for all of them; tell whether there was any."""
        begun = [*self._tasks]
        await asyncio.gather(*begun)
        return bool(begun)


class Turns:
    """One runner on one database."""

    def __init__(self, server: ClockedServer, dsn: str, limits: Limits) -> None:
        self._server = server
        self._stack = ExitStack()
        self._evaluator = self._stack.enter_context(
            psycopg.connect(dsn, autocommit=True)
        )
        self._loop = asyncio.new_event_loop()
        self._stack.callback(self._loop.close)
        opened = session(dsn)
        self._session: Session = self._run(opened.__aenter__())
        self._stack.callback(lambda: self._run(opened.__aexit__(None, None, None)))
        self._tasks = Tasks()
        self._verify = Verify(State(), limits, cast(TaskGroup, self._tasks))
        self._maintain_at = self._beat_at = server.now()

    def close(self) -> None:
        """End its connections."""
        self._stack.close()

    def turn(self) -> list[Message]:
        """Do what is due; return what was sent."""
        self._run(self._house())
        self.evaluate()
        return self._run(self._send())

    def evaluate(self) -> None:
        """Roll up, and evaluate the rules that are due."""
        self._evaluator.execute("select agentdb.roll_up()")
        self._evaluator.execute("select agentdb.close_gone_runs()")
        self._evaluator.execute("call played.evaluate()")

    def _run(self, work: Coroutine[Any, Any, Found]) -> Found:
        return self._loop.run_until_complete(work)

    async def _house(self) -> None:
        """Keep house, look at claims, and tell that somebody watches."""
        for query in ENFORCE:
            await self._session.rows(query, deadline=SLOW)
        await set_schedules(self._session)
        now = self._server.now()
        if now >= self._maintain_at:
            self._maintain_at = now + MAINTAIN_EVERY
            await self._session.rows("select * from agentdb.maintain()", deadline=SLOW)
            await self._session.rows("select agentdb.refresh_normal()", deadline=SLOW)
        if now >= self._beat_at:
            self._beat_at = now + BEAT_EVERY
            for loop in LOOPS:
                binds = {"name": "one", "loop": loop, "host": "h", "pid": 1}
                await self._session.rows(
                    BEAT, {**binds, "version": "1", "revision": ""}
                )
        while await self._verify.turn(self._session) or await self._tasks.end():
            pass

    async def _send(self) -> list[Message]:
        """Take what waits to be sent, as the receivers would."""
        sent = []
        binds = {"name": "one", "batch": 100, "lease": timedelta(minutes=1)}
        while found := await self._session.rows(CLAIM, {**binds, "skip": []}):
            for row in found:
                note = Notification(**row)
                marked = {"id": note.notification_id, "attempt": note.attempt}
                if note.receiver_name.startswith(DEAF):
                    gone = {"error": "gone", "permanent": True, "retry_after": None}
                    await self._session.rows(FAILED, {**marked, "status": 410, **gone})
                    continue
                await self._session.rows(SENT, {**marked, "status": 200})
                if note.receiver_name == HEARD:
                    sent.append(Message(self._server.now(), note.kind, note.payload))
        return sent
