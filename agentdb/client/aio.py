"""The same for asyncio: what asks the database does so in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from .agent import Agent
from .held import Held
from .run import Run
from .session import Row
from .usage import Tokens, Usage

T = TypeVar("T")


async def _done(work: Callable[[], T], undo: Callable[[T], object]) -> T:
    """Do in a thread what cannot be left half done: a task cancelled undoes it."""
    turn, found = threading.Lock(), []
    given_up = False

    def whole() -> None:
        result = work()
        with turn:
            found.append(result)
            if not given_up:
                return
        undo(result)

    try:
        await asyncio.to_thread(whole)
    except asyncio.CancelledError:
        with turn:
            given_up = True
            done = list(found)
        for each in done:
            # Not in the loop's threads: it may be ending.
            threading.Thread(target=undo, args=[each], name="agentdb-undo").start()
        raise
    return found[0]


class AsyncAgent:
    """An agent whose runs are entered by `async with`; takes what Agent takes."""

    def __init__(self, dsn: str | None = None, **options: Any) -> None:
        self._agent = Agent(dsn, **options)

    @classmethod
    def from_env(cls, **options: Any) -> AsyncAgent:
        """Return the agent of AGENTDB_DSN, AGENTDB_AGENT and AGENTDB_AGENT_SECRET."""
        made = cls.__new__(cls)
        made._agent = Agent.from_env(**options)
        return made

    def run(self, purpose: str | None = None, **how: str | None) -> AsyncRun:
        """Return a run; takes what Agent.run() takes."""
        return AsyncRun(self._agent.run(purpose, **how))


class AsyncRun:
    """A run of an agent, see Run; `sync` is that run, for code that does not wait."""

    def __init__(self, run: Run) -> None:
        self.sync = run

    async def __aenter__(self) -> AsyncRun:
        """Start the run; raises Stopped, Paused, NotAnAgent or Unreachable."""
        await _done(self.sync.__enter__, lambda run: run.end("cancelled"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the run; a task that is cancelled waits for that."""
        ending = asyncio.create_task(
            asyncio.to_thread(self.sync.__exit__, kind, error, trace)
        )
        await asyncio.shield(ending)

    @property
    def id(self) -> int | None:
        """The number of the run."""
        return self.sync.id

    @property
    def token(self) -> str | None:
        """What binds another session to this run; a secret."""
        return self.sync.token

    @property
    def advice(self) -> str | None:
        """What the last evaluation has to say to the run, see Run.advice."""
        return self.sync.advice

    def new_advice(self) -> str | None:
        """Return `advice` once for each kind of it, see Run.new_advice."""
        return self.sync.new_advice()

    def check(self) -> None:
        """Raise Stopped, Paused or FenceLost where that is so; asks nobody."""
        self.sync.check()

    def progress(self, step: str, **details: Any) -> None:
        """Record that something was reached that was not before; sent later."""
        self.sync.progress(step, **details)

    def log_tokens(self, used: Usage) -> None:
        """Record the tokens of a model call that was not reserved; sent later."""
        self.sync.log_tokens(used)

    def log_call(self, tool: str, args: Any = None, **outcome: Any) -> None:
        """Record a finished tool call, see Run.log_call; sent later."""
        self.sync.log_call(tool, args, **outcome)

    async def call(
        self,
        tool: str,
        args: Mapping[str, Any] | None,
        function: Callable[[], Awaitable[T]],
        *,
        call_id: str | None = None,
    ) -> T:
        """Await `function()` and record it as one call of a tool, with its outcome."""
        return await self.sync.call(tool, args, function, call_id=call_id)

    def tool(self, function: Any = None, *, name: str | None = None) -> Any:
        """Decorate a function: each of its calls is recorded with its arguments."""
        return self.sync.tool(function, name=name)

    def tokens(self, estimate: int, max_output: int = 0) -> AsyncTokens:
        """Set tokens aside for a prompt: an asynchronous context manager."""
        return AsyncTokens(self.sync.tokens(estimate, max_output))

    def lock(self, name: str, **how: Any) -> AsyncLock:
        """Take a lock, see Run.lock: `async with run.lock(…)`, or await it."""
        return AsyncLock(partial(self.sync.lock, name, **how))

    async def ask(
        self, question: str, options: Iterable[str] | None = None, **how: str
    ) -> int:
        """Ask people something; return the number under which answer() finds it."""
        return await asyncio.to_thread(self.sync.ask, question, options, **how)

    async def answer(self, question: int) -> str | None:
        """Return the answer to a question, None while there is none."""
        return await asyncio.to_thread(self.sync.answer, question)

    async def hold(self, until: str, reason: str) -> None:
        """Say that the run waits until a time of PostgreSQL."""
        await asyncio.to_thread(self.sync.hold, until, reason)

    async def budget(self) -> list[Row]:
        """Return each budget, see Run.budget."""
        return await asyncio.to_thread(self.sync.budget)

    async def claim_rows(self, table: str, operation: str, **what: Any) -> int:
        """Claim that the run wrote rows of an audited table, see Run.claim_rows."""
        return await asyncio.to_thread(self.sync.claim_rows, table, operation, **what)

    async def claim_file(self, path: str, **what: Any) -> int:
        """Claim that a file exists, see Run.claim_file."""
        return await asyncio.to_thread(self.sync.claim_file, path, **what)

    async def claim_http(self, url: str, **what: Any) -> int:
        """Claim that an address answers, see Run.claim_http."""
        return await asyncio.to_thread(self.sync.claim_http, url, **what)

    async def claim_message(self, channel: str, recipient: str, **what: Any) -> int:
        """Claim that a message has reached the record of its channel."""
        return await asyncio.to_thread(
            self.sync.claim_message, channel, recipient, **what
        )

    async def claim_command(self, name: str, **args: Any) -> int:
        """Claim that a command which the operator registered succeeds."""
        return await asyncio.to_thread(self.sync.claim_command, name, **args)

    async def claim(self, kind: str, target: str, **expectation: Any) -> int:
        """Claim what a verifier of the operator's own can look up."""
        return await asyncio.to_thread(self.sync.claim, kind, target, **expectation)

    async def spawn_token(self) -> str:
        """Return what another agent's run needs to prove that this one started it."""
        return await asyncio.to_thread(self.sync.spawn_token)


class AsyncTokens:
    """Tokens set aside for one prompt, see Tokens."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.usage = tokens.usage
        self.set = tokens.set

    async def __aenter__(self) -> AsyncTokens:
        """Reserve; raises BudgetRefused where a budget is too low."""
        cancelled = asyncio.CancelledError
        await _done(
            self._tokens.__enter__,
            lambda tokens: tokens.__exit__(cancelled, cancelled(), None),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Settle what was used."""
        await asyncio.to_thread(self._tokens.__exit__, kind, error, trace)


class AsyncLock:
    """A lock that is taken when this is awaited or entered."""

    def __init__(self, take: Callable[[], Held]) -> None:
        self._take = take

    def __await__(self) -> Generator[Any, None, AsyncHeld]:
        return self._taken().__await__()

    async def __aenter__(self) -> AsyncHeld:
        self._held = await self._taken()
        return self._held

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._held.release()

    async def _taken(self) -> AsyncHeld:
        return AsyncHeld(await _done(self._take, lambda held: held.release()))


class AsyncHeld:
    """A lock that a run holds, see Held."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self.name = held.name
        self.fence = held.fence
        self.lost = held.lost
        self.check = held.check

    async def release(self) -> bool:
        """Give the lock back; return whether we still held it."""
        return await asyncio.to_thread(self._held.release)

    async def __aenter__(self) -> AsyncHeld:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.release()
