"""The SDKs of OpenAI and Anthropic: `client = recorded(run, OpenAI())`.

All that asks a model goes through one method of an SDK's resources, whatever the
program calls: create(), parse(), stream(), embeddings, raw and streamed responses.  It
is there that tokens are set aside before a prompt is sent, and what it used is read.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from ..client import AsyncRun, Run, Tokens
from ..client.aio import AsyncTokens
from ..client.usage import usage_of
from ..mcp.events import Events, data
from .common import estimate, run_of

Client = TypeVar("Client")
logger = logging.getLogger("agentdb.client")
# Where an SDK has what asks a model.
PLACES = (
    "chat.completions", "completions", "embeddings", "responses", "messages",
    "beta.messages",
)  # fmt: skip
# What is asked there that a model answers, and no count of tokens or of batches.
ASKED = ("/completions", "/embeddings", "/responses", "/compact", "/messages")
# What a prompt is made of, and how the most that is answered is called.
PROMPT = ("system", "instructions", "messages", "input", "prompt", "tools")
MOST = ("max_completion_tokens", "max_output_tokens", "max_tokens")


def recorded(run: Run | AsyncRun, client: Client) -> Client:
    """Return the client, whose answers are recorded from now on, for this run alone."""
    ours = run_of(run)
    for place in PLACES:
        holder: Any = client
        for name in place.split("."):
            holder = getattr(holder, name, None)
        if callable(post := getattr(holder, "_post", None)):
            # A client outlives a run: the one before is over.
            own = getattr(post, "_agentdb_own", post)
            holder._post = _recorded(ours, own, str(getattr(client, "base_url", "")))
            holder._post._agentdb_own = own
    for name in ("copy", "with_options"):
        _record_copies(ours, client, name)
    return client


def _record_copies(run: Run, client: Any, name: str) -> None:
    """Record the answers of a client that is made from this one, too."""
    if (copy := getattr(client, name, None)) is None:
        return
    own = getattr(copy, "_agentdb_own", copy)

    def copied(*args: Any, **given: Any) -> Any:
        return recorded(run, own(*args, **given))

    copied._agentdb_own = own  # type: ignore[attr-defined]
    setattr(client, name, copied)


def _recorded(run: Run, post: Callable[..., Any], url: str) -> Callable[..., Any]:
    def called(path: str, **given: Any) -> Any:
        run.check(loops=False)
        if not _is_prompt(path, given.get("body")):
            return post(path, **given)
        given["body"] = _asking_for_usage(path, given["body"])
        with (asked := _Asked(run, given["body"], url)):
            return asked.noted(post(path, **given))

    async def awaited(path: str, **given: Any) -> Any:
        run.check(loops=False)
        if not _is_prompt(path, given.get("body")):
            return await post(path, **given)
        given["body"] = _asking_for_usage(path, given["body"])
        async with (asked := _Asked(run, given["body"], url)):
            return asked.noted(await post(path, **given))

    return awaited if inspect.iscoroutinefunction(post) else called


def _is_prompt(path: str, body: Any) -> bool:
    return path.partition("?")[0].endswith(ASKED) and isinstance(body, Mapping)


def _asking_for_usage(path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a request whose stream does not end without a word of what it used."""
    if not (body.get("stream") and path.endswith("/chat/completions")):
        return body
    options = {"include_usage": True, **(body.get("stream_options") or {})}
    return {**body, "stream_options": options}


@contextmanager
def unharmed() -> Iterator[None]:
    """Let no answer be lost because we cannot read what it used."""
    try:
        yield
    except Exception:
        logger.exception("agentdb: what an answer used could not be read")


class _Asked:
    """One prompt: its tokens are set aside first, and settled when it is answered."""

    def __init__(self, run: Run, said: Mapping[str, Any], url: str) -> None:
        prompt = [said[name] for name in PROMPT if said.get(name)]
        most = next((said[name] for name in MOST if isinstance(said.get(name), int)), 0)
        self._tokens = run.tokens(max(estimate(prompt), 1), most)
        self._url = url
        self._streams = False

    def __enter__(self) -> _Asked:
        self._tokens.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None or not self._streams:
            self._tokens.__exit__(kind, error, trace)

    async def __aenter__(self) -> _Asked:
        await AsyncTokens(self._tokens).__aenter__()
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None or not self._streams:
            await AsyncTokens(self._tokens).__aexit__(kind, error, trace)

    def noted(self, found: Any) -> Any:
        """Take what an answer used, at once or when it has been read or is closed."""
        total = _Sum(self._tokens, self._url)
        response: Any = _of(found, "http_response") or _of(found, "response")
        with unharmed():
            if not hasattr(response, "iter_bytes"):
                total.add(found)
                total.take()
            elif response.is_stream_consumed:
                total.parse(response.content)
                total.take()
            else:
                self._streams = True
                _listen(response, total)
        return found


class _Sum:
    """What the parts of one answer say that it used; the last word counts."""

    def __init__(self, tokens: Tokens, url: str) -> None:
        self._tokens = tokens
        self._url = url
        self._used: dict[str, Any] = {}
        self._said: dict[str, Any] = {}
        self._ended = False

    def add(self, part: Any) -> None:
        """Take a part: an object of the SDK or what it is made from."""
        whole = _of(part, "response") or _of(part, "message") or part
        for name in ("model", "service_tier"):
            if isinstance(said := _of(whole, name), str):
                self._said[name] = said
        # A part of a stream has an id of its own, an answer one beside its model.
        if _of(whole, "model") and isinstance(said := _of(whole, "id"), str):
            self._said["id"] = said
        used = _of(whole, "usage")
        if used is not None:
            said = used if isinstance(used, Mapping) else used.model_dump()
            self._used |= {
                name: each for name, each in said.items() if each is not None
            }

    def parse(self, text: bytes) -> None:
        """Take a part as it was sent; what says nothing of tokens is not read."""
        if b'"usage"' not in text and b'"model"' not in text:
            return
        try:
            self.add(json.loads(text))
        except ValueError:
            return

    def take(self) -> None:
        """Say what was used, as far as it is known."""
        if self._used:
            used = usage_of({**self._said, "usage": self._used}, url=self._url)
            self._tokens.usage(used)

    def end(self) -> None:
        """Settle what was used, once; of a stream that is left early what it said."""
        if not self._ended:
            self._ended = True
            self.take()
            self._tokens.settle_later()


def _listen(response: Any, total: _Sum) -> None:
    """Read along what the program reads of a response, whatever it reads it by."""
    pulling = False
    events = (
        Events()
        if response.headers.get("content-type", "").startswith("text/event-stream")
        else None
    )
    whole = bytearray()

    def heard(part: bytes) -> None:
        with unharmed():
            if events is None:
                whole.extend(part)
            else:
                for event in events.add(part):
                    total.parse(data(event))

    def over() -> None:
        with unharmed():
            total.parse(bytes(whole) if events is None else data(events.end()))
            total.end()

    own = response.iter_bytes, response.aiter_bytes, response.close, response.aclose

    def iter_bytes(*size: int) -> Iterator[bytes]:
        nonlocal pulling
        pulling = True
        try:
            for part in own[0](*size):
                heard(part)
                pulling = False
                yield part
                pulling = True
        finally:
            over()

    async def aiter_bytes(*size: int) -> AsyncIterator[bytes]:
        nonlocal pulling
        pulling = True
        try:
            async for part in own[1](*size):
                heard(part)
                pulling = False
                yield part
                pulling = True
        finally:
            over()

    # Its last bytes may come after it has closed itself.
    def close() -> None:
        own[2]()
        if not pulling:
            over()

    async def aclose() -> None:
        await own[3]()
        if not pulling:
            over()

    for each in (iter_bytes, aiter_bytes, close, aclose):
        setattr(response, each.__name__, each)


def _of(source: Any, name: str) -> Any:
    if isinstance(source, Mapping):
        return source.get(name)
    return getattr(source, name, None)
