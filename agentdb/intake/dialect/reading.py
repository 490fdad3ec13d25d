"""What one request was read into: events, and what could not be understood of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from types import ModuleType
from typing import Any

from ..event import Event
from ..otlp.record import Log, Point, Record, Span
from ..peer import Peer
from ..problem import Problems
from .memory import Memory
from .value import first, text, whole

NANO = 1_000_000_000


class Reading:
    """The events of one request, in the order of what happened."""

    def __init__(self, peer: Peer, signal: str, memory: Memory) -> None:
        self.peer = peer
        self.signal = signal
        self.memory = memory
        self.events: list[Event] = []
        self.problems = Problems()
        self.rejected = 0
        self._whys: dict[str, None] = {}

    def read(self, records: Iterable[Record]) -> None:
        """Read records; what is no agent's is left out."""
        from . import registry

        kept = [
            (record, module)
            for record in records
            if (module := registry.dialect(record)) is not None
        ]
        # A model's reply comes before the calls that it asks for; clocks of
        # milliseconds do not always tell which part of a call ended first.
        for record, _ in kept:
            if isinstance(record, Point) or not record.trace:
                continue
            if conversation := _names(record):
                self.memory.name((self.peer.agent, record.trace), conversation)
        kept.sort(key=lambda pair: (not _early(*pair), _ended(pair[0])))
        for record, module in kept:
            try:
                module.read(record, self)
            except (LookupError, ValueError, TypeError, AttributeError) as error:
                self.rejected += 1
                why = f"{type(error).__name__} in {module.__name__.rpartition('.')[2]}"
                self.problem(f"not understood: {why}", why, record)

    # -- what dialects say ----------------------------------------------------------

    def call(
        self,
        record: Span | Log,
        tool: str,
        *,
        call_id: Any = None,
        occurrence: int | None = None,
        conversation: Any = None,
        thread: Any = None,
        place: int | None = None,
        **said: Any,
    ) -> None:
        """Add a tool call: one that was made, or at a `place` of a reply in vain."""
        event = self._event("call", record, conversation, thread)
        event["tool"] = tool
        if place is not None:
            event.pop("duration_ms", None)
            event["ids"] = [f"{each}:{place}" for each in event["ids"]]
        if call := text(call_id):
            event["call_id"] = call
            sight = f"{record.trace}:{_span(record)}:{place}"
            where = (
                self.peer.agent,
                event["agent"],
                event.get("conversation"),
                event.get("thread"),
                record.source.scope,
                bool(said.get("unknown")),
                call,
            )
            found = occurrence or self.memory.occurrence(where, sight)
            if found > 1:
                event["occurrence"] = found
        self._add(event, **said)

    def tokens(
        self,
        record: Span | Log,
        *,
        ids: Iterable[Any] = (),
        input: Any = None,
        cached_input: Any = None,
        inside: bool = True,
        output: Any = None,
        conversation: Any = None,
        thread: Any = None,
        **said: Any,
    ) -> None:
        """Add what one request to a model used; with `inside`, cached is in input."""
        given, cached, made = whole(input), whole(cached_input), whole(output)
        if given is None and made is None:
            return
        if inside and given is not None and cached is not None and cached <= given:
            given -= cached
        event = self._event("tokens", record, conversation, thread)
        event["ids"] = [*filter(None, map(text, ids)), *event["ids"]]
        self._add(event, input=given, cached_input=cached, output=made, **said)

    def end(self, span: Span, conversation: Any = None, **said: Any) -> None:
        """Add the end of a run."""
        event = self._event("end", span, conversation, None)
        if event["conversation"] is None:
            event["conversation"] = f"trace {span.trace}"
        event["at"] = moment(span.end) or event.get("at")
        self._add(event, **said)

    def add(
        self,
        kind: str,
        record: Span | Log,
        *,
        conversation: Any = None,
        thread: Any = None,
        **said: Any,
    ) -> None:
        """Add an event of another kind."""
        self._add(self._event(kind, record, conversation, thread), **said)

    def asks(
        self,
        record: Span | Log,
        tool: str,
        args: Any,
        call: Any,
        where: str | None = None,
    ) -> None:
        """Remember that a model asked for a call, for a record that names no id.

        Both are in one trace, or in another place that is given.
        """
        if found := text(call):
            place = (self.peer.agent, where or record.trace)
            self.memory.ask(place, tool, args, found)

    def asked(
        self, record: Span | Log, tool: str, args: Any, where: str | None = None
    ) -> tuple[str | None, Any]:
        """Return id and arguments of a call that a model asked for in one place."""
        return self.memory.asked((self.peer.agent, where or record.trace), tool, args)

    def keep(self, record: Span | Log, name: Any, value: dict[str, Any]) -> None:
        """Remember what another record of the same trace goes on with."""
        self.memory.keep((self.peer.agent, record.trace, text(name)), value)

    def kept(self, record: Span | Log, name: Any) -> dict[str, Any] | None:
        """Return what an earlier record of the same trace left, once."""
        return self.memory.kept((self.peer.agent, record.trace, text(name)))

    def always(self, record: Record, *names: str) -> None:
        """Note a field that was always there, by one of its names, and is not."""
        if not any(name in record.attributes for name in names):
            self.problem(
                "field_vanished", "", record, sample=f"{names[0]} of {_named(record)}"
            )

    def problem(
        self, reason: str, why: str, about: Any, sample: str | None = None
    ) -> None:
        """Note what was not understood."""
        emitter = "" if isinstance(about, dict | str) else emitter_of(about)
        if isinstance(about, dict):
            emitter = str(about.get("emitter") or "")
        if sample is None:
            sample = _shown(about)
        if why:
            self._whys.setdefault(why)
        path = f"/v1/{self.signal}"
        self.problems.add(self.peer.agent, path, emitter, reason, sample)

    def unreadable(self, reason: str, sample: bytes) -> None:
        """Note an element that could not be unpacked."""
        self.rejected += 1
        self._whys.setdefault(reason)
        path = f"/v1/{self.signal}"
        self.problems.add(self.peer.agent, path, "", reason, repr(sample))

    def whys(self) -> Sequence[str]:
        """Return why elements were rejected, some of it."""
        return list(self._whys)[:3]

    # -- how an event is made --------------------------------------------------------

    def _event(
        self, kind: str, record: Span | Log, conversation: Any, thread: Any
    ) -> Event:
        of, resource = record.attributes, record.source.resource
        found = first(of, "agentdb.conversation") or first(
            resource, "agentdb.conversation"
        )
        event: Event = {
            "kind": kind,
            "agent": text(
                first(resource, "agentdb.agent")
                or first(of, "gen_ai.agent.name")
                or record.source.service
            ),
            "conversation": text(found)
            or text(conversation)
            or _names(record)
            or self.memory.named((self.peer.agent, record.trace))
            or _trace_of(record),
            "at": moment(record.start if isinstance(record, Span) else record.time),
            "emitter": emitter_of(record),
            "source": "span" if isinstance(record, Span) else "log",
            "ids": [f"{record.trace}:{record.id}"] if isinstance(record, Span) else [],
        }
        if thread := text(thread):
            event["thread"] = thread
        if isinstance(record, Span) and record.end > record.start and kind == "call":
            event["duration_ms"] = round((record.end - record.start) / 1e6, 3)
        return event

    def _add(self, event: Event, **said: Any) -> None:
        event.update((name, each) for name, each in said.items() if each is not None)
        if event.get("conversation") is None:
            del event["conversation"]
        self.events.append(event)


def _names(record: Span | Log) -> str | None:
    """Return the conversation that a record names itself."""
    of = record.attributes
    found = first(of, "gen_ai.conversation.id", "session.id", "conversation.id")
    return text(found or first(record.source.resource, "session.id"))


def _trace_of(record: Span | Log) -> str | None:
    """Return the trace of a record, where it has parts.

    A request to a model that stands alone belongs to no conversation that is known.
    """
    if isinstance(record, Span) and not record.parent:
        return None
    return f"trace {record.trace}" if record.trace else None


def moment(nano: int) -> str | None:
    """Return a time in the form of ISO 8601."""
    if not 0 < nano < 1 << 62:
        return None
    whole, part = divmod(nano, NANO)
    stamp = datetime.fromtimestamp(whole, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{part // 1000:06}Z"


def emitter_of(record: Any) -> str:
    """Return the library that wrote a record, with its version."""
    source = record.source
    return f"{source.scope or source.service} {source.version}".strip()[:200]


def _ended(record: Record) -> int:
    return record.end if isinstance(record, Span) else record.time


def _early(record: Record, module: ModuleType) -> bool:
    """Return whether others go on with what a record tells, whenever it ended."""
    early = getattr(module, "early", None)
    return early is not None and bool(early(record))


def _span(record: Span | Log) -> str:
    return record.id if isinstance(record, Span) else record.span


def _named(record: Record) -> str:
    return f"{record.name}: has {', '.join(sorted(record.attributes)[:100])}"


def _shown(about: Any) -> str:
    if isinstance(about, Span | Log | Point):
        return _named(about)
    try:
        return json.dumps(about, default=str)[:4000]
    except (TypeError, ValueError, RecursionError):
        return repr(type(about))
