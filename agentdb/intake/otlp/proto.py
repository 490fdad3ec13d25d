"""Reads protobuf requests, element by element."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from .envelope import Malformed, split
from .record import Attributes, Log, Point, Record, Source, Span

CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
Unreadable = Callable[[str, bytes], None]


def records(
    data: bytes, signal: str, longest: int, most: int, unreadable: Unreadable
) -> Iterator[Record]:
    """Yield what a request holds; an element that cannot be read is told instead."""
    read = READERS[signal]
    last: tuple[bytes, bytes] | None = None
    source = Source({})
    for resource, scope, (start, end) in split(data, most):
        if last is None or last[0] is not resource or last[1] is not scope:
            last, source = (resource, scope), _source(resource, scope, longest)
        element = data[start : min(end, start + longest + 1)]
        if end - start > longest:
            unreadable("element_too_large", element[:400])
            continue
        try:
            yield from read(element, source)
        except (DecodeError, UnicodeDecodeError, RecursionError):
            unreadable("malformed", element[:400])


def _source(resource: bytes, scope: bytes, longest: int) -> Source:
    if len(resource) > longest or len(scope) > longest:
        raise Malformed("the resource is too large")
    try:
        of = resource_pb2.Resource.FromString(resource)
        by = common_pb2.InstrumentationScope.FromString(scope)
    except DecodeError as error:
        raise Malformed("not protobuf") from error
    return Source(_attributes(of.attributes), by.name, by.version)


def _spans(element: bytes, source: Source) -> Iterator[Span]:
    found = trace_pb2.Span.FromString(element)
    yield Span(
        source,
        found.trace_id.hex(),
        found.span_id.hex(),
        found.parent_span_id.hex(),
        found.name,
        found.start_time_unix_nano,
        found.end_time_unix_nano,
        _attributes(found.attributes),
        [(each.name, _attributes(each.attributes)) for each in found.events],
        found.status.code,
        found.status.message,
    )


def _logs(element: bytes, source: Source) -> Iterator[Log]:
    found = logs_pb2.LogRecord.FromString(element)
    yield Log(
        source,
        found.event_name,
        found.time_unix_nano or found.observed_time_unix_nano,
        _value(found.body),
        _attributes(found.attributes),
        found.trace_id.hex(),
        found.span_id.hex(),
    )


def _metrics(element: bytes, source: Source) -> Iterator[Point]:
    found = metrics_pb2.Metric.FromString(element)
    # Histograms tell how numbers lie; no emitter keeps tokens or cost in one alone.
    for kind in (found.sum, found.gauge):
        for each in kind.data_points:
            whole = each.WhichOneof("value") == "as_int"
            yield Point(
                source,
                found.name,
                each.start_time_unix_nano,
                each.time_unix_nano,
                each.as_int if whole else each.as_double,
                _attributes(each.attributes),
                kind is found.sum and found.sum.aggregation_temporality == CUMULATIVE,
            )


READERS: dict[str, Callable[[bytes, Source], Iterable[Record]]] = {
    "traces": _spans,
    "logs": _logs,
    "metrics": _metrics,
}


def _attributes(pairs: Iterable[common_pb2.KeyValue]) -> Attributes:
    return {each.key: _value(each.value) for each in pairs}


def _value(value: common_pb2.AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    found = getattr(value, kind)
    if kind == "array_value":
        return [_value(each) for each in found.values]
    if kind == "kvlist_value":
        return _attributes(found.values)
    if kind == "bytes_value":
        return cast(bytes, found).hex()
    return found
