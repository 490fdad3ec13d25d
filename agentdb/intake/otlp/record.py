"""Spans, log records and metric points, as they were told, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Attributes = dict[str, Any]
ERROR = 2


@dataclass(slots=True)
class Source:
    """What made a record: its resource, and the library that wrote it."""

    resource: Attributes
    scope: str = ""
    version: str = ""

    @property
    def service(self) -> str:
        """Return the name of the program."""
        return str(self.resource.get("service.name") or "")


@dataclass(slots=True)
class Span:
    """One span: ids in hex, times in nanoseconds since 1970."""

    source: Source
    trace: str
    id: str
    parent: str
    name: str
    start: int
    end: int
    attributes: Attributes
    events: list[tuple[str, Attributes]] = field(default_factory=list)
    code: int = 0
    message: str = ""

    @property
    def failed(self) -> bool:
        """Whether the emitter set its status to error."""
        return self.code == ERROR

    def exception(self) -> str | None:
        """Return what was raised within it, if that was told."""
        for name, said in reversed(self.events):
            if name == "exception":
                kind, text = said.get("exception.type"), said.get("exception.message")
                return f"{text or kind or 'raised'}"
        return None


@dataclass(slots=True)
class Log:
    """One log record; `name` is its event's."""

    source: Source
    name: str
    time: int
    body: Any
    attributes: Attributes
    trace: str = ""
    span: str = ""


@dataclass(slots=True)
class Point:
    """One number of a metric, of the time from `start`; cumulative or of its own."""

    source: Source
    name: str
    start: int
    time: int
    value: float
    attributes: Attributes
    cumulative: bool = False


Record = Span | Log | Point
