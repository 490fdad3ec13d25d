"""A run of an agent: what a program does between start_run() and end_run()."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

from ..errors import (
    AgentdbError,
    AlreadyExists,
    LockInUse,
    NoRun,
    RunClosed,
    describe,
)
from ..redaction import INSTEAD, Redaction
from .calls import as_json, statement
from .claim import Claims, refuse_secret
from .errors import Advised, Busy, Unreachable
from .held import Held
from .log import CHANNEL, Limits, Log
from .recorded import WHOLE, Streamed, decorated, recorded
from .session import Away, Connect, Row, Session
from .usage import Tokens, Usage

T = TypeVar("T")
# What a run is told in words: nothing is looked up by it.
WORDS = {
    "conversation", "details", "instance", "on_behalf_of", "options", "purpose",
    "question", "reason", "step", "summary",
}  # fmt: skip
# The database keeps less.
LONGEST_ERROR = 16_000
# How often a lock that another holds is asked for again, in seconds.
AGAIN = 0.25
# How often a call is made in all that finds others at it, and the seconds in between.
BUSY, PAUSE = 3, (0.05, 0.3)


BEGIN = "Use it within: with agent.run() as run."


class Run(Claims):
    """One tick or session of an agent, a context manager: entered it starts.

    What is recorded (calls, steps, tokens) is sent in the background and outlives a
    rollback of the program.  Where the database is away the program goes on, unless
    the agent is `fail_closed`; what must be known at once is then not asked.
    """

    def __init__(
        self,
        connect: Connect,
        start: Mapping[str, Any],
        *,
        fail_closed: bool,
        limits: Limits,
        redaction: Redaction,
        raise_advice: bool = False,
    ) -> None:
        self._start = {
            name: redaction.text(str(each)) if name in WORDS and each else each
            for name, each in start.items()
        }
        self._fail_closed = fail_closed
        self._raise_advice = raise_advice
        self._redaction = redaction
        self._session = Session(connect)
        self._held: set[Held] = set()
        self._process = os.getpid()
        self._begun = False
        self._ending = threading.Lock()
        self._log = Log(
            Session(connect, CHANNEL), self._number, self._bound, limits,
            lambda: list(self._held),
        )  # fmt: skip
        #: The number of the run, None until the database has given one.
        self.id: int | None = None
        #: What binds another session to this run; a secret.
        self.token: str | None = None

    # Beginning and end.

    def __enter__(self) -> Run:
        """Start the run; raises Stopped, Paused, NotAnAgent or Unreachable."""
        if self._begun:
            raise AlreadyExists(
                "the run has begun already",
                hint="agent.run() makes another; a run is entered once.",
            )
        self._begun = True
        try:
            self._open()
        except Away as error:
            if self._fail_closed:
                self._session.close()
                raise Unreachable(
                    str(error),
                    hint="Do nothing until it can: nobody could stop this run.",
                ) from error
        except BaseException:
            self._session.close()
            raise
        self._log.watch()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the run: succeeded, failed by an exception, or cancelled by a person."""
        if isinstance(error, SystemExit) and error.code in (None, 0):
            error = None
        if error is None:
            self.end()
        elif isinstance(error, Exception | SystemExit):
            self.end("failed", f"{type(error).__name__}: {said_of(error)}")
        else:
            self.end("cancelled", type(error).__name__)

    def end(self, outcome: str = "succeeded", summary: str | None = None) -> None:
        """End the run: `outcome` is succeeded, failed or cancelled.

        Releases its locks and what it has set aside, sends what is recorded, and waits
        at most 5 seconds for that.  One that was stopped or has ended is left as it is.
        """
        if os.getpid() != self._process:
            # A fork of the process whose run it is.
            self._log.flush()
            return
        with self._ending:
            if not self._begun or self._log.ended:
                return
            for held in list(self._held):
                with suppress(Exception):
                    held.release()
            self._log.close()
            said = None if summary is None else self._redaction.text(summary)[:2000]
            with suppress(Exception):
                if self.id is not None:
                    self._session.again()
                    self._ask("end_run", outcome=outcome, summary=said)
            self._log.ended = True
            self._session.close(1.0)

    def check(self, *, loops: bool = True) -> None:
        """Raise Stopped or Paused where somebody stopped the run; asks nobody.

        A stop is known within a second.  Raises FenceLost where a lock is lost, and
        Looping once for each time that people were alerted to a loop of the run; with
        `loops` false that waits for the next call of a tool, to be told in its place.
        So does Advised, raised once for each kind of advice by an agent that asks for
        it (`on_advice="raise"`).
        """
        if not self._begun:
            raise NoRun("the run has not begun", hint=BEGIN)
        if self._log.stopped is not None:
            raise self._log.stopped
        if self._log.ended:
            raise RunClosed(f"run {self.id} has ended", hint=BEGIN)
        for held in list(self._held):
            held.check()
        if loops and (looping := self._log.looping()):
            raise looping
        if loops and self._raise_advice and (advice := self.new_advice()):
            raise Advised(advice)

    @property
    def advice(self) -> str | None:
        """What the last evaluation has to say to the run: a loop, a low budget, a wait.

        Known within a second of it; None where there is nothing.
        """
        return self._log.advice.text

    def new_advice(self) -> str | None:
        """Return `advice`, once for each kind of it: another number is nothing new.

        For who passes it on to a model; None afterwards, or where there is nothing.
        """
        return self._log.advice.once()

    @property
    def stopped(self) -> AgentdbError | None:
        """Why the run may do nothing more (Stopped), or nothing now (Paused)."""
        return self._log.stopped

    def watch_budget(self) -> None:
        """Look at the budgets as often as for a stop, and at once; see over_budget."""
        self._log.watches_budget = True
        with suppress(Away):
            self._log.look()

    @property
    def over_budget(self) -> AgentdbError | None:
        """Why no more may be spent, where watch_budget() was asked to look."""
        return self._log.over_budget

    @property
    def ended(self) -> bool:
        """Tell whether the run has ended, or has not begun."""
        return self._log.ended or not self._begun

    # What happened.

    def progress(self, step: str, **details: Any) -> None:
        """Record that something was reached that was not before; sent later."""
        self._add("step", {
            "step": self._redaction.text(str(step)),
            "details": self._redaction.value(details) or None,
        })  # fmt: skip

    def log_tokens(self, used: Usage) -> None:
        """Record the tokens of a model call that was not reserved; sent later."""
        self._add("tokens", self._used(used))

    def _used(self, used: Usage) -> dict[str, Any]:
        """Return a usage as it is sent: what is text in it without secrets."""
        return {
            name: self._redaction.text(each) if isinstance(each, str) else each
            for name, each in vars(used).items()
        }

    def log_call(
        self,
        tool: str,
        args: Any = None,
        *,
        result: Any = None,
        error: str | None = None,
        seconds: float | None = None,
        call_id: str | None = None,
        violation: str | None = None,
    ) -> None:
        """Record a finished tool call, once for each `call_id`; sent later.

        Of the result only its size and a hash are kept.  `violation` says what is
        wrong with the arguments.
        """
        secrets: set[str] = set()
        self._record_call(
            tool, self._kept(args, tool, secrets), secrets, result=result, error=error,
            seconds=seconds, call_id=call_id, violation=violation,
        )  # fmt: skip

    def _kept(self, args: Any, tool: str, secrets: set[str]) -> Any:
        """Return arguments as they are to be recorded: a copy, without secrets."""
        return None if args is None else self._redaction.value(args, tool, secrets)

    def _record_call(
        self,
        tool: str,
        kept: Any,
        secrets: set[str],
        *,
        result: Any,
        error: str | BaseException | None,
        seconds: float | None,
        call_id: str | None,
        violation: str | None,
    ) -> None:
        def hide(text: str, longest: int = LONGEST_ERROR) -> str:
            # A tool may say what it was given.  Cut last, or half a key would stay.
            text = text[: 2 * longest]
            for each in sorted(secrets, key=len, reverse=True):
                text = text.replace(each, INSTEAD)
            return self._redaction.text(text)[:longest]

        size, text = (None, None) if result is None else self._result(result)
        said = said_of(error) if isinstance(error, BaseException) else error
        self._add("tool", {
            "tool": hide(str(tool)),
            "args": kept,
            "ok": error is None,
            "error": None if said is None else hide(said),
            "result": None if text is None else hide(text, WHOLE),
            "result_size": size,
            "duration": None if seconds is None else f"{max(seconds, 0):.6f} s",
            "call_id": self._call_id(call_id),
            "violation": None if violation is None else hide(violation),
        })  # fmt: skip

    def _call_id(self, given: str | None) -> str:
        """Return the id of a call, its hash where it must not be seen."""
        if not given:
            return uuid.uuid4().hex
        if self._redaction.text(given) == given:
            return given
        return f"sha256:{hashlib.sha256(given.encode(errors='replace')).hexdigest()}"

    def _result(self, result: Any) -> tuple[int, str]:
        """Return the size of a result, and its text or, where it is long, a hash."""
        if isinstance(result, Streamed):
            return result.size, result.text
        if not isinstance(result, str):
            result = as_json(self._redaction.value(result))
        if len(result) > WHOLE:
            whole = result.encode(errors="replace")
            return len(result), f"sha256:{hashlib.sha256(whole).hexdigest()}"
        return len(result), result

    def _add(self, kind: str, event: dict[str, Any]) -> None:
        if not self._begun:
            raise NoRun("the run has not begun", hint=BEGIN)
        self._log.add(kind, event)

    def call(
        self,
        tool: str,
        args: Mapping[str, Any] | None,
        function: Callable[[], T],
        *,
        call_id: str | None = None,
    ) -> T:
        """Call `function` and record it as one call of a tool, with its outcome.

        Returns what it returns; a coroutine, a generator or an asynchronous one is
        recorded when it has ended.  Raises what it raises, and before it is called
        Stopped, Paused or FenceLost.
        """
        self.check()
        found: T = recorded(self, tool, args, function, call_id)
        return found

    def tool(self, function: Any = None, *, name: str | None = None) -> Any:
        """Decorate a function: each of its calls is recorded with its arguments."""

        def decorate(function: Callable[..., Any]) -> Any:
            own = getattr(function, "__name__", type(function).__name__)
            return decorated(self, function, name or own)

        return decorate if function is None else decorate(function)

    # What is asked for.

    def tokens(self, estimate: int, max_output: int = 0) -> Tokens:
        """Set tokens aside for a prompt: a context manager, settled at its end.

        Entering it raises BudgetRefused where a budget is too low, and Busy where
        others of the tree or the agent keep theirs uncommitted for longer than 6
        seconds: then nothing is known of what is left.
        """
        return Tokens(self, estimate, max_output)

    def lock(
        self,
        name: str,
        *,
        ttl: str = "15 minutes",
        wait: float = 0,
        max_hold: str | None = None,
        release_on_disconnect: bool = False,
    ) -> Held:
        """Take a lock, waiting at most `wait` seconds; raises LockInUse.

        It is renewed in the background, and given back by its release() or at the end
        of the `with` block.  `ttl` and `max_hold` are intervals of PostgreSQL.
        """
        refuse_secret(self._redaction, "lock", {"name": name})
        end = time.monotonic() + wait
        while True:
            self.check()
            since = time.monotonic()
            row = self._ask(
                "acquire_lock", name=name, ttl=ttl, max_hold=max_hold,
                release_on_disconnect=release_on_disconnect or None,
            )  # fmt: skip
            if row["acquired"]:
                held = Held(self, name, row["fence"], row["ttl_ms"], ttl, since)
                self._held.add(held)
                return held
            if time.monotonic() >= end:
                raise LockInUse(
                    f"lock {name} is {row['outcome']}: {row['holder'] or 'nobody'}",
                    hint="Do something else, and try again later.",
                )
            time.sleep(min(AGAIN, max(end - time.monotonic(), 0)))

    def ask(
        self,
        question: str,
        options: Iterable[str] | None = None,
        *,
        urgency: str = "normal",
    ) -> int:
        """Ask people something; return the number under which answer() finds it."""
        hide = self._redaction
        given = None if options is None else hide.value(list(options))
        row = self._ask(
            "ask_human", question=hide.text(question), options=given, urgency=urgency
        )
        return int(row["question_id"])

    def answer(self, question: int) -> str | None:
        """Return the answer to a question, None while there is none."""
        row = self._ask("answer_of", question=question)
        answer = row["answer"]
        return None if answer is None else str(answer)

    def hold(self, until: str, reason: str) -> None:
        """Say that the run waits until a time of PostgreSQL: '2026-12-01 08:00'."""
        self._ask("hold_run", until=until, reason=self._redaction.text(reason))

    def budget(self) -> list[Row]:
        """Return each budget: scope, max_tokens, spent, reserved, tokens_left, cost.

        And of the cost what the input, the cached input and the output are.
        """
        return self._ask_all("remaining_budget")

    # Other sessions.

    def bind(self, cursor: Any) -> None:
        """Have the open transaction of another session write for this run.

        `cursor` is one of any DB-API driver.  Needed behind a shared role, and where
        the role has several runs; the binding ends with the transaction.
        """
        self._number()
        cursor.execute("select agentdb.bind_run(%s)", (self.token,))

    def spawn_token(self) -> str:
        """Return what another agent's run needs to prove that this one started it."""
        row = self._ask("spawn_token")
        return str(row["spawn_token"])

    # Within.

    def _open(self) -> None:
        (row,) = self._session.call("start_run", **self._start)
        self.token, self.id = row["token"], row["run_id"]

    def _busy(self) -> bool:
        """Tell whether this very thread asks the database now."""
        lock: Any = self._session.lock
        return bool(lock._is_owned())

    def _number(self) -> int | None:
        """Return the number of the run, which starts now if it could not before."""
        if self._log.ended:
            raise RunClosed(f"run {self.id} has ended", hint=BEGIN)
        if self.id is not None:
            return self.id
        if not self._begun:
            raise NoRun("the run has not begun", hint=BEGIN)
        with self._session.lock:
            if self.id is None:
                self._open()
        return self.id

    def _bound(self) -> str | None:
        """Return the token where the role alone does not tell who calls."""
        return self.token if self._start.get("secret") else None

    def _ask(self, function: str, **values: Any) -> Row:
        """Call a function for this run, and return its first row."""
        return self._ask_all(function, **values)[0]

    def _ask_all(self, function: str, **values: Any) -> list[Row]:
        return self.rows(*statement(function, {**values, "run": self._number()}))

    def rows(self, query: str, values: Sequence[str] = ()) -> list[Row]:
        """Execute a statement for this run; the token binds where the role does not.

        Parameters are `%s`, and their values texts.
        """
        self._number()
        token = self._bound()
        with self._session.lock:
            if token is None:
                return self._session.rows(query, list(values))
            with self._session.transaction():
                self._session.call("bind_run", token=token)
                return self._session.rows(query, list(values))

    def ask_function(
        self, function: str, values: Mapping[str, Any], types: Mapping[str, str]
    ) -> list[Row]:
        """Call a function of agentdb by what the catalogue says of its parameters."""
        hidden = {
            name: self._redaction.value(each) for name, each in values.items()
            if name in WORDS
        }  # fmt: skip
        kept = {name: each for name, each in values.items() if name not in WORDS}
        refuse_secret(self._redaction, function, kept)
        return self.rows(*statement(function, {**kept, **hidden}, types))

    def _ask_again(self, function: str, **values: Any) -> Row:
        """Call a function; where others are just at it, some more times.  Raises Busy.

        Each time the database itself waits for them, for 2 seconds.
        """
        for _ in range(BUSY - 1):
            with suppress(Busy):
                return self._ask(function, **values)
            # Others who were refused at the same time do not come at the same time.
            time.sleep(random.uniform(*PAUSE))
        return self._ask(function, **values)

    def _ask_or_pass(self, function: str, **values: Any) -> Row:
        """Call a function; where the database is away return nothing, or refuse."""
        if self.stopped is not None:
            raise self.stopped
        try:
            return self._ask_again(function, **values)
        except Away as error:
            if self._fail_closed:
                raise Unreachable(
                    str(error),
                    hint="Wait, and try again: what is left cannot be known now.",
                ) from error
            return {}


def said_of(error: BaseException) -> str:
    """Return what an exception says, or its kind where it says nothing or cannot."""
    try:
        return describe(error) or type(error).__name__
    except Exception:
        return type(error).__name__
