"""One call of a tool, one record of it: functions, coroutines, generators."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import logging
import time
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Mapping,
)
from typing import TYPE_CHECKING, Any

from .calls import as_json

if TYPE_CHECKING:
    from .run import Run


# A longer result is sent as its hash: that is all that is kept of it anyway.
WHOLE = 64 * 1024
logger = logging.getLogger("agentdb.client")


class Call:
    """A call under way, recorded once whatever becomes of it.

    Its arguments are kept as they are now: what the tool does to them is its result.
    """

    def __init__(self, run: Run, tool: str, args: Any, call_id: str | None) -> None:
        self._run = run
        self._tool = tool
        self._secrets: set[str] = set()
        self._args = run._kept(args, tool, self._secrets)
        self._id = call_id
        self._began = time.perf_counter()
        self._done = False

    def end(
        self,
        result: Any = None,
        error: BaseException | None = None,
        violation: str | None = None,
    ) -> None:
        """Record the outcome; an end that comes after another says nothing."""
        if self._done:
            return
        self._done = True
        seconds = time.perf_counter() - self._began
        try:
            self._run._record_call(
                self._tool, self._args, self._secrets, result=result, error=error,
                seconds=seconds, call_id=self._id, violation=violation,
            )  # fmt: skip
        except Exception:
            # What a tool has done stays done, and its caller hears of it.
            logger.exception("agentdb: a call could not be recorded")


class Streamed:
    """What a stream gave, part by part, in bounded memory."""

    def __init__(self) -> None:
        self.size = 0
        self._head: list[str] = []
        self._hash = hashlib.sha256()

    def add(self, part: Any) -> None:
        """Take a part; texts stand one after the other, others a line each."""
        text = part if isinstance(part, str) else as_json(part) + "\n"
        self.size += len(text)
        self._hash.update(text.encode(errors="replace"))
        if self.size <= WHOLE:
            self._head.append(text)

    @property
    def text(self) -> str:
        """All of it, or where it is long its hash."""
        if self.size <= WHOLE:
            return "".join(self._head)
        return f"sha256:{self._hash.hexdigest()}"


def recorded(
    run: Run,
    tool: str,
    args: Mapping[str, Any] | None,
    function: Callable[[], Any],
    call_id: str | None = None,
) -> Any:
    """Call a function, and record the call when what it returns has ended."""
    call = Call(run, tool, None if args is None else dict(args), call_id)
    try:
        result = function()
    except BaseException as error:
        call.end(error=error)
        raise
    if inspect.isgenerator(result):
        return _generator(call, result)
    if inspect.isasyncgen(result):
        return _asynchronous(call, result)
    if isinstance(result, asyncio.Future):
        # A task is more than what can be awaited: it stays what it is.
        result.add_done_callback(functools.partial(_finished, call))
        return result
    if inspect.isawaitable(result):
        return _awaited(call, result)
    call.end(result)
    return result


def decorated(run: Run, function: Callable[..., Any], tool: str) -> Any:
    """Return a function each call of which is recorded with its arguments."""
    try:
        signature: inspect.Signature | None = inspect.signature(function)
    except (TypeError, ValueError):
        signature = None

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        run.check()
        given = _by_name(signature, args, kwargs)
        return recorded(run, tool, given, lambda: function(*args, **kwargs))

    if not inspect.iscoroutinefunction(function):
        return called

    # What asks whether it is to be awaited hears the truth.
    @functools.wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        return await called(*args, **kwargs)

    return awaited


def _by_name(
    signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Return arguments by their names, as far as they have some."""
    if signature is not None:
        try:
            return dict(signature.bind(*args, **kwargs).arguments)
        except TypeError:
            pass
    return {"args": list(args), **kwargs}


def _finished(call: Call, task: asyncio.Future[Any]) -> None:
    if task.cancelled():
        call.end(error=asyncio.CancelledError())
    elif error := task.exception():
        call.end(error=error)
    else:
        call.end(task.result())


async def _awaited(call: Call, result: Awaitable[Any]) -> Any:
    try:
        found = await result
    except BaseException as error:
        call.end(error=error)
        raise
    call.end(found)
    return found


def _generator(
    call: Call, result: Generator[Any, Any, Any]
) -> Generator[Any, Any, Any]:
    """Stand for a generator: what is sent to it and thrown into it goes to it."""
    parts = Streamed()
    try:
        part = next(result)
        while True:
            parts.add(part)
            try:
                sent = yield part
            except GeneratorExit:
                result.close()
                raise
            except BaseException as thrown:
                part = result.throw(thrown)
            else:
                part = result.send(sent)
    except StopIteration as done:
        return done.value
    except GeneratorExit:
        raise
    except BaseException as error:
        call.end(error=error)
        raise
    finally:
        call.end(parts)


async def _asynchronous(
    call: Call, result: AsyncGenerator[Any, Any]
) -> AsyncGenerator[Any, Any]:
    """The same for an asynchronous one."""
    parts = Streamed()
    try:
        part = await anext(result)
        while True:
            parts.add(part)
            try:
                sent = yield part
            except GeneratorExit:
                await result.aclose()
                raise
            except BaseException as thrown:
                part = await result.athrow(thrown)
            else:
                part = await result.asend(sent)
    except StopAsyncIteration:
        return
    except GeneratorExit:
        raise
    except BaseException as error:
        call.end(error=error)
        raise
    finally:
        call.end(parts)
