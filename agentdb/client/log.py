"""The log of a program: what it did, sent in the background, on its own connection.

What the program's transactions roll back stays recorded.  Events are kept in order,
bounded in number and size; a crash loses what is younger than the window.  While the
database is away they wait; where they are too many, the newest are dropped and counted.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..advice import Advice
from ..errors import (
    AgentdbError,
    InvalidArgument,
    LimitReached,
    NotFound,
    Paused,
    RunClosed,
    Stopped,
    describe,
)
from ..message import read
from .bell import Bell
from .calls import as_json
from .errors import BudgetRefused, Busy, Looping
from .session import PATIENCE, Away, Row, Session

if TYPE_CHECKING:
    from .held import Held

KINDS = {"tool": "tool_call", "step": "progress", "tokens": "tokens"}
BATCH = 500
# How long a flush at exit may take in all.
LAST = 5.0
LONGEST_PAUSE = 30.0
# A stop is known at the next look, or at the next batch; at once where somebody says
# so, whoever it is, but not more often than that.
LOOK_EVERY = 0.9
LEAST = 0.1
CHANNEL = "agentdb_stop"
INSTEAD = (
    "Do not repeat it: try another way, ask a person, or end the run; a step that is "
    "new (progress) says that you got on."
)
logger = logging.getLogger("agentdb.client")


@dataclass(frozen=True)
class Limits:
    """How much is kept and for how long: seconds, events, and bytes of JSON.

    `patience` is how long the server may take for an answer, in seconds.
    """

    window: float = 0.5
    events: int = 10_000
    size: int = 16 * 1024 * 1024
    patience: float = PATIENCE


@dataclass(frozen=True)
class Event:
    """One call, step or usage, as log_events takes it, or tokens to settle."""

    kind: str
    text: str


class Log:
    """Sends the events of one run; knows within a second when the run was stopped."""

    def __init__(
        self,
        session: Session,
        run: Callable[[], int | None],
        token: Callable[[], str | None],
        limits: Limits,
        held: Callable[[], Iterable[Held]],
    ) -> None:
        self._session = session
        self._held = held
        self._run = run
        self._token = token
        self._limits = limits
        self._begin()
        self.dropped = 0
        #: Whether the run has ended here: nothing comes after.
        self.ended = False
        # Why the run may do nothing more, or nothing now.
        self.stopped: AgentdbError | None = None
        # What the run has not heard of yet, and the alert that it heard of last.
        self._looping: Looping | None = None
        #: Whether budgets are looked at too, and the one that is used up.
        self.watches_budget = False
        self.over_budget: BudgetRefused | None = None
        self._alerted_at: Any = None
        #: What the last evaluation has to say to the run.
        self.advice = Advice()

    def _begin(self) -> None:
        self._events: deque[Event] = deque()
        self._size = 0
        self._lock = threading.RLock()
        self._bell = Bell()
        self._looked_at = time.monotonic()
        self._over = threading.Event()
        self._sending = threading.RLock()
        self._thread: threading.Thread | None = None
        # A transaction that may have committed, and how many events it holds.
        self._unsure: tuple[str, int] | None = None

    def add(self, kind: str, event: dict[str, Any]) -> None:
        """Keep an event until it is sent; never waits and never raises."""
        event = event | {"kind": KINDS[kind]} if kind in KINDS else event
        text = as_json({name: each for name, each in event.items() if each is not None})
        with self._lock:
            full = self._ended() or len(self._events) >= self._limits.events
            if full or self._size + len(text) > self._limits.size:
                self.dropped += 1
                return
            self._events.append(Event(kind, text))
            self._size += len(text)
            self._start()
            if len(self._events) >= BATCH:
                self._bell.ring()

    def looping(self) -> Looping | None:
        """Return once what people were alerted to, None afterwards."""
        found, self._looping = self._looping, None
        return found

    def look(self) -> None:
        """Look now whether the run may go on."""
        try:
            self._look()
        except (Stopped, RunClosed, Paused) as error:
            self._stop(error)

    def watch(self) -> None:
        """Begin to look for a stop, also while nothing is recorded."""
        with self._lock:
            self._start()

    def flush(self, timeout: float = LAST) -> bool:
        """Send what is kept; return whether all of it is recorded."""
        end = time.monotonic() + timeout
        while self._events and (left := end - time.monotonic()) > 0:
            try:
                self._session.again()
                self._send(left)
            except (Away, Busy, Paused):
                time.sleep(0.1)
            except AgentdbError:
                return False
            except Exception:
                logger.exception("agentdb: recording failed")
                time.sleep(0.1)
        return not self._events

    def close(self, timeout: float = LAST) -> bool:
        """Flush, and end the thread and the connection."""
        self._over.set()
        self._bell.ring()
        done = self.flush(timeout)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                self._bell.close()
        self._session.close(1.0)
        return done

    def busy(self) -> bool:
        """Tell whether this very thread is at work here: it may be a signal's."""
        locks: tuple[Any, ...] = (self._lock, self._sending, self._session.lock)
        return any(lock._is_owned() for lock in locks)

    def forget(self) -> None:
        """Begin anew in a forked process: what is kept here the parent sends."""
        self._session.forget()
        self._begin()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._work, name="agentdb-log", daemon=True
            )
            # At the end of the interpreter there are no threads more: it flushes.
            with suppress(RuntimeError):
                self._thread.start()

    def _ended(self) -> bool:
        """Tell whether nothing of this run can be recorded any more."""
        stopped = self.stopped is not None and not isinstance(self.stopped, Paused)
        return self.ended or stopped

    def _work(self) -> None:
        pause = self._limits.window
        while not self._over.is_set():
            told = self._rest(pause)
            pause = self._limits.window
            try:
                if self._events:
                    self._send()
                if told or time.monotonic() - self._looked_at > LOOK_EVERY:
                    self._looked_at = time.monotonic()
                    self._look()
            except (Stopped, RunClosed, Paused) as error:
                self._stop(error)
            except (Away, Busy) as error:
                logger.warning("%s", error)
                pause = min(max(pause * 2, 1.0), LONGEST_PAUSE)
            except Exception:
                logger.exception("agentdb: recording failed")
                pause = 1.0
            if self._ended():
                return

    def _rest(self, seconds: float) -> bool:
        """Wait for a time or a batch; tell whether a stop was spoken of meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            rung, said = self._bell.wait(left, self._session.ear)
            # Also what came with the answers of other calls.
            if self._session.hear():
                self._over.wait(max(self._looked_at + LEAST - time.monotonic(), 0))
                return True
            if rung or not said:
                break
        return False

    def _stop(self, error: AgentdbError) -> None:
        """Note why the run may not go on; what it did since is nobody's to record."""
        self.stopped = error
        if self._ended():
            with self._lock:
                self.dropped += len(self._events)
                self._events.clear()
                self._size = 0

    def _look(self) -> None:
        """Ask whether the run may go on, and whether it is known to repeat itself."""
        if (run := self._run()) is None:
            return
        held = list(self._held())
        with self._session.transaction():
            self._bind()
            (row,) = self._session.call("check_run", run=run)
            if self.watches_budget:
                left = self._session.call("remaining_budget", run=run)
                self.over_budget = next(
                    (_used_up(each) for each in left if each["advice"]), None
                )
        self._resumed()
        for each in held:
            if each.fence not in row["fences"]:
                each.lost.set()
        self.advice.hear(row["advice"])
        if row["looping"] and row["since"] != self._alerted_at:
            self._alerted_at = row["since"]
            self._looping = Looping(row["looping"], hint=INSTEAD)
            self.advice.told()

    def _resumed(self) -> None:
        if isinstance(self.stopped, Paused):
            self.stopped = None

    def _send(self, timeout: float = -1) -> None:
        """Send one batch; what is sent is no longer kept."""
        if not self._sending.acquire(timeout=timeout):
            return
        try:
            with self._lock:
                batch = [self._events[i] for i in range(min(BATCH, len(self._events)))]
            if not batch or (run := self._run()) is None:
                return
            if self._unsure:
                self._sent(self._settle())
            else:
                self._record_all(batch, run)
        finally:
            self._sending.release()
        self._resumed()
        self._report_dropped()

    def _sent(self, count: int) -> None:
        """Forget the first events: they are recorded, or never will be."""
        with self._lock:
            for _ in range(min(count, len(self._events))):
                self._size -= len(self._events.popleft().text)

    def _record_all(self, batch: list[Event], run: int) -> None:
        """Record events together, or one by one where one among them is refused."""
        try:
            self._record(batch, run)
            self._sent(len(batch))
        except Exception as error:
            if not _is_refusal(error):
                raise
            for event in batch:
                self._record_alone(event, run)
                self._sent(1)

    def _record_alone(self, event: Event, run: int) -> None:
        try:
            self._record([event], run)
        except Exception as error:
            if not _is_refusal(error):
                raise
            logger.warning("agentdb refused an event: %s", describe(error))
            self.dropped += 1

    def _record(self, batch: list[Event], run: int) -> None:
        """Record events in one transaction; a commit without an answer is unsure."""
        refused: list[Row] = []
        with self._session.transaction():
            self._bind()
            for settled, events in groupby(
                batch, lambda event: event.kind not in KINDS
            ):
                texts = [event.text for event in events]
                if settled:
                    self._settle_tokens(texts, run)
                    continue
                query = (
                    "select refused from agentdb.log_events("
                    "events => %s::text::jsonb, run => %s::bigint)"
                )
                (row,) = self._session.rows(query, [f"[{','.join(texts)}]", str(run)])
                refused += row["refused"] or []
            (row,) = self._session.rows("select pg_current_xact_id()::text as xid")
            self._unsure = (row["xid"], len(batch))
        self._unsure = None
        for each in refused:
            logger.warning("agentdb refused an event: %s", each["why"])
        self.dropped += len(refused)

    def _settle_tokens(self, texts: list[str], run: int) -> None:
        """Settle what could not be settled at once; twice counts once."""
        for text in texts:
            self._session.call("settle_tokens", **json.loads(text), run=run)

    def _bind(self) -> None:
        if token := self._token():
            self._session.call("bind_run", token=token)

    def _settle(self) -> int:
        """Return how many events the commit that nobody answered has recorded."""
        assert self._unsure
        xid, count = self._unsure
        query = "select pg_xact_status(%s::text::xid8) as status"
        (row,) = self._session.rows(query, [xid])
        if row["status"] == "in progress":
            raise Away("the commit of the last batch goes on")
        self._unsure = None
        return count if row["status"] == "committed" else 0

    def _report_dropped(self) -> None:
        with self._lock:
            dropped, self.dropped = self.dropped, 0
        if dropped:
            step = f"agentdb client: {dropped} events were not recorded"
            self.add("step", {"step": step, "details": {"dropped": dropped}})


def _used_up(budget: Row) -> BudgetRefused:
    """Return what a budget that has nothing left is refused with."""
    used = f"{budget['spent']} of {budget['max_tokens'] or 'any'} tokens"
    if budget["max_cost"] is not None:
        used += f", a cost of {budget['cost']:g} of {budget['max_cost']:g}"
    return BudgetRefused(
        f"the {budget['scope']} budget is used up: {used}", hint=budget["advice"]
    )


def _is_refusal(error: Exception) -> bool:
    """Tell whether what was sent is at fault, and will be refused ever after."""
    if isinstance(error, AgentdbError):
        return isinstance(error, InvalidArgument | LimitReached | NotFound)
    said = read(error)
    # Data, integrity, limits of the program; too large; took too long.
    return said is not None and (
        said.sqlstate[:2] in ("22", "23", "54")
        or said.sqlstate in ("53200", "57014", "XX000")
    )
