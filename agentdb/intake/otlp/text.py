"""Reads requests in JSON: ids in hex, 64-bit numbers as text, enums by number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..refused import Refused
from .envelope import Malformed
from .record import Attributes, Log, Point, Record, Source, Span

# What a body of JSON is, by signal: names of its groups, their scopes, their elements.
NAMES = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}
CODES = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2, 1: 1, 2: 2}
CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")
DEEPEST = 64
Unreadable = Callable[[str, bytes], None]


def loads(data: bytes) -> Any:
    """Return what a body says; raises Malformed."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        # The text of the error quotes nothing.
        raise Malformed(f"not JSON: {error}"[:200]) from error


def records(
    data: Any, signal: str, most: int, unreadable: Unreadable
) -> Iterator[Record]:
    """Yield what a request holds; an element that cannot be read is told instead."""
    groups, scopes, elements = NAMES[signal]
    left = most
    if not isinstance(data, dict):
        raise Malformed("an OTLP request is an object")
    for group in _list(data, groups):
        resource = _attributes(_object(group, "resource").get("attributes"))
        for scoped in _list(group, scopes):
            scope = _object(scoped, "scope")
            source = Source(
                resource, _text(scope.get("name")), _text(scope.get("version"))
            )
            for element in _list(scoped, elements):
                left -= 1
                if left < 0:
                    raise Refused("too many elements in one request", 413)
                try:
                    if not isinstance(element, dict):
                        raise Malformed("an element is an object")
                    yield from READERS[signal](element, source)
                except (Malformed, ValueError, TypeError, LookupError, RecursionError):
                    unreadable("malformed", repr(element)[:400].encode())


def _spans(found: dict[str, Any], source: Source) -> Iterator[Span]:
    status = _object(found, "status")
    yield Span(
        source,
        _text(found.get("traceId")).lower(),
        _text(found.get("spanId")).lower(),
        _text(found.get("parentSpanId")).lower(),
        _text(found.get("name")),
        _whole(found.get("startTimeUnixNano")),
        _whole(found.get("endTimeUnixNano")),
        _attributes(found.get("attributes")),
        [
            (_text(each.get("name")), _attributes(each.get("attributes")))
            for each in _list(found, "events")
            if isinstance(each, dict)
        ],
        CODES.get(status.get("code", 0), 0),
        _text(status.get("message")),
    )


def _logs(found: dict[str, Any], source: Source) -> Iterator[Log]:
    yield Log(
        source,
        _text(found.get("eventName")),
        _whole(found.get("timeUnixNano")) or _whole(found.get("observedTimeUnixNano")),
        _value(found.get("body")),
        _attributes(found.get("attributes")),
        _text(found.get("traceId")).lower(),
        _text(found.get("spanId")).lower(),
    )


def _metrics(found: dict[str, Any], source: Source) -> Iterator[Point]:
    for name in ("sum", "gauge"):
        kind = _object(found, name)
        for each in _list(kind, "dataPoints"):
            if not isinstance(each, dict):
                raise Malformed("a point is an object")
            given: Any = each.get("asInt", each.get("asDouble", 0))
            yield Point(
                source,
                _text(found.get("name")),
                _whole(each.get("startTimeUnixNano")),
                _whole(each.get("timeUnixNano")),
                float(given),
                _attributes(each.get("attributes")),
                kind.get("aggregationTemporality") in CUMULATIVE,
            )


READERS: dict[str, Callable[[dict[str, Any], Source], Iterable[Record]]] = {
    "traces": _spans,
    "logs": _logs,
    "metrics": _metrics,
}


def _attributes(pairs: Any, depth: int = 0) -> Attributes:
    if pairs is None:
        return {}
    if not isinstance(pairs, list):
        raise Malformed("attributes are a list")
    found = {}
    for each in pairs:
        if not isinstance(each, dict):
            raise Malformed("an attribute is an object")
        found[_text(each.get("key"))] = _value(each.get("value"), depth + 1)
    return found


def _value(value: Any, depth: int = 0) -> Any:
    if value is None or value == {}:
        return None
    if not isinstance(value, dict) or depth > DEEPEST:
        raise Malformed("not a value of OTLP")
    if (text := value.get("stringValue")) is not None:
        return _text(text)
    if (number := value.get("intValue")) is not None:
        return _whole(number)
    if "boolValue" in value:
        return bool(value["boolValue"])
    if "doubleValue" in value:
        return float(value["doubleValue"])
    if "arrayValue" in value:
        found = _list(_object(value, "arrayValue"), "values")
        return [_value(each, depth + 1) for each in found]
    if "kvlistValue" in value:
        return _attributes(_object(value, "kvlistValue").get("values"), depth + 1)
    return value.get("bytesValue")


def _list(of: Any, name: str) -> list[Any]:
    found = of.get(name) if isinstance(of, dict) else None
    if found is None:
        return []
    if not isinstance(found, list):
        raise Malformed(f"{name} is a list")
    return found


def _object(of: Any, name: str) -> dict[str, Any]:
    found = of.get(name) if isinstance(of, dict) else None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Malformed(f"{name} is an object")
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed("not a text")
    return value


def _whole(value: Any) -> int:
    """Return a number that JSON may give as text."""
    if value is None:
        return 0
    if isinstance(value, str):
        if len(value) > 20:
            raise Malformed("not a number")
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed("not a number")
    return int(value)
