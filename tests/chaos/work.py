"""What an agent does all day: each activity is a few transactions of one run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from uuid import uuid4

from .actor import Actor, Call

PROGRESS = "select run_id from agentdb.log_progress(%s)"
PROGRESS_OF = "select run_id from agentdb.log_progress(%s, run => %s)"
TOOL = "select run_id from agentdb.log_tool_call(%s, %s::text::jsonb, call_id => %s)"
BEGIN = "select run_id from agentdb.begin_tool_call(%s, call_id => %s)"
END = "select run_id from agentdb.end_tool_call(%s)"
RESERVE = "select reservation from agentdb.reserve_tokens(2000, 100)"
SETTLE = "select run_id from agentdb.settle_tokens(%s, 1000, 50)"
ACQUIRE = """
select acquired, fence from agentdb.acquire_lock(%s, '5 s', release_on_disconnect => %s)
"""
RELEASE = "select released from agentdb.release_lock(%s, %s)"
SLOT = """
select acquired, fence from agentdb.acquire_slot(%s, 3, '5 s',
  release_on_disconnect => %s)
"""
INSERT = "insert into public.work (mark, process, run) values (%s, %s, %s)"
UPDATE = """
insert into public.state as s (slot, process, run) values (%s, %s, %s)
on conflict (slot) do update set process = excluded.process, run = excluded.run,
  updates = s.updates + 1
"""
STAGE = "insert into agentdb_stage.ledger (mark, process, run) values (%s, %s, %s)"
OPEN = "select agentdb.open_change('chaos')"
SUBMIT = "select agentdb.submit_change()"
ISOLATION = "repeatable read"


class Work:
    """The activities of one process."""

    def __init__(self, process: int, slot: str) -> None:
        self._process = process
        self._slot = slot
        # Runs whose open change is in doubt: a second one would be refused.
        self._opened: set[int | None] = set()

    def step(self, actor: Actor) -> None:
        """Do one activity."""
        activities: dict[Callable[[Actor], None], int] = {
            self._progress: 4,
            self._argument: 2,
            self._tool: 3,
            self._long_tool: 3,
            self._tokens: 3,
            self._lock: 4,
            self._slot_of_three: 2,
            self._write: 6,
            self._update: 3,
            self._many: 3,
            self._linger: 5,
            self._stage: 1,
            self._open_change: 1,
            Actor.forget: 1,
        }
        [activity] = random.choices([*activities], [*activities.values()])
        activity(actor)

    def _progress(self, actor: Actor) -> None:
        actor.do("progress", Call(PROGRESS, [f"s{random.random()}"], answers=True))

    def _argument(self, actor: Actor) -> None:
        values = [f"s{random.random()}", actor.run]
        actor.do("argument", Call(PROGRESS_OF, values, answers=True))

    def _tool(self, actor: Actor) -> None:
        values = ["search", f'{{"q": {random.random()}}}', str(uuid4())]
        actor.do("tool", Call(TOOL, values, answers=True))

    def _long_tool(self, actor: Actor) -> None:
        call = str(uuid4())
        actor.do("begin call", Call(BEGIN, ["fetch", call], answers=True))
        _pause()
        actor.do("end call", Call(END, [call], answers=True))

    def _tokens(self, actor: Actor) -> None:
        [[(reservation,)]] = actor.do("reserve", Call(RESERVE))
        _pause()
        if reservation is not None:
            actor.do("settle", Call(SETTLE, [reservation], answers=True))

    def _lock(self, actor: Actor) -> None:
        name, freed = random.choice("abcdef"), random.random() < 0.5
        [[(acquired, fence)]] = actor.do("acquire", Call(ACQUIRE, [name, freed]))
        _pause()
        if acquired:
            self._progress(actor)
            actor.do("release", Call(RELEASE, [name, fence]))

    def _slot_of_three(self, actor: Actor) -> None:
        name, freed = random.choice(["x", "y"]), random.random() < 0.5
        [[(acquired, fence)]] = actor.do("slot", Call(SLOT, [name, freed]))
        _pause()
        if acquired:
            actor.do("release slot", Call(RELEASE, [name, fence]))

    def _write(self, actor: Actor) -> None:
        actor.do("write", self._insert(actor))

    def _update(self, actor: Actor) -> None:
        actor.do("update", Call(UPDATE, [self._slot, self._process, actor.run]))

    def _many(self, actor: Actor) -> None:
        calls = [
            self._insert(actor),
            Call(PROGRESS, ["many"], answers=True),
            self._insert(actor),
            Call("select pg_sleep(%s)", [random.random() * 0.1]),
            self._insert(actor),
        ]
        isolation = ISOLATION if random.random() < 0.3 else ""
        actor.do("many", *calls, isolation=isolation)

    def _linger(self, actor: Actor) -> None:
        """Commit a while after the last look at whether the run was killed."""
        wait = Call("select pg_sleep(%s)", [random.random() * 0.5])
        actor.do("linger", self._insert(actor), wait)

    def _insert(self, actor: Actor) -> Call:
        mark = str(uuid4())
        return Call(INSERT, [mark, self._process, actor.run], mark=mark)

    def _stage(self, actor: Actor) -> None:
        actor.do("stage", Call(STAGE, [str(uuid4()), self._process, actor.run]))

    def _open_change(self, actor: Actor) -> None:
        if actor.run in self._opened:
            return
        self._opened.add(actor.run)
        actor.do("open change", Call(OPEN))
        _pause()
        self._stage(actor)
        actor.do("submit", Call(SUBMIT))
        self._opened.discard(actor.run)


def _pause() -> None:
    time.sleep(random.random() * 0.1)
