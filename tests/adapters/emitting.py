"""Libraries that emit to a real `agentdb serve`, and what of it is in the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from ..agents import rows
from ..conftest import Connection
from ..serving import Serving
from .scripted import CACHED, INPUT, OUTPUT


@contextmanager
def exporting(serve: Serving) -> Iterator[TracerProvider]:
    """Give a provider of tracers; all that was traced is taken when the block ends."""
    provider = TracerProvider(resource=Resource.create({"service.name": "app"}))
    provider.add_span_processor(batching(serve))
    try:
        yield provider
    finally:
        assert provider.force_flush()
        provider.shutdown()


def calls(db: Connection) -> list[tuple[Any, ...]]:
    """Return tool, whether it went well, its fault, and its id, in their order."""
    found = rows(
        db,
        "select l.tool, l.ok, f.fault, l.call_id from agentdb.tool_call_log as l"
        " left join agentdb.tool_fault as f using (tool_call_log_id)"
        " order by l.tool_call_log_id",
    )
    return [tuple(each.values()) for each in found]


def totals(db: Connection) -> dict[str, int]:
    """Return how many requests there were, and the sums of their tokens."""
    (found,) = rows(
        db,
        "select count(*)::int as requests, coalesce(sum(input_tokens), 0)::int as input,"
        " coalesce(sum(cached_input_tokens), 0)::int as cached,"
        " coalesce(sum(output_tokens), 0)::int as output from agentdb.token_log",
    )
    return found


def of_requests(number: int, *, cached: bool = True) -> dict[str, int]:
    """Return the sums of so many answers of a script; cached input may be unknown."""
    return {
        "requests": number,
        "input": number * (INPUT if cached else INPUT + CACHED),
        "cached": number * CACHED if cached else 0,
        "output": number * OUTPUT,
    }


def outcomes(db: Connection) -> list[str | None]:
    """Return how the runs ended, in their order."""
    found = rows(db, "select outcome from agentdb.run order by run_id")
    return [each["outcome"] for each in found]


def problems(db: Connection) -> list[dict[str, Any]]:
    return rows(db, "select reason, emitter, sample from agentdb.intake_problems")


def batching(serve: Serving) -> BatchSpanProcessor:
    """Return what sends spans in batches, as applications have it."""
    exporter = OTLPSpanExporter(
        endpoint=f"{serve.url}/v1/traces",
        headers={"authorization": f"Bearer {serve.token}"},
    )
    return BatchSpanProcessor(exporter)
