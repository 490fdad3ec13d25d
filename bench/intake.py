"""How many spans a second `agentdb serve` takes, of a stream of batches.

Run it from the checkout: python -m bench.intake [--seconds N]
Spans of tool calls and of requests to a model, one of three, with arguments, 512 in a
batch as exporters send them, protobuf by gzip; each batch waits for its commit.
Processor time is that of the server and of the database's sessions, so that a span a
second a core is one of all that the machine does for it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import psycopg
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from agentdb.local import LocalServer
from agentdb.schema import install as installation

BATCH = 512
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    seconds = parser.parse_args().seconds
    with LocalServer() as server:
        installation.install(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("create role intake_i login in role agentdb_intake")
            admin.execute("select agentdb.register_intake_agent('coder')")
            row = admin.execute("select agentdb.make_intake_token('coder')").fetchone()
            assert row is not None
        dsn = server.dsn(user="intake_i")
        command = [sys.executable, "-m", "agentdb", "serve", "--dsn", dsn]
        with subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().rpartition(" ")[2].strip()
            measure(url, row[0], process.pid, seconds)
            process.terminate()


def measure(url: str, token: str, pid: int, seconds: float) -> None:
    """Send for so long, and print what became of it."""
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/x-protobuf",
        "content-encoding": "gzip",
    }
    batches = (packed(number) for number in range(1_000_000))
    with httpx.Client(headers=headers, timeout=60) as client:
        for _ in range(5):
            client.post(f"{url}/v1/traces", content=next(batches)).raise_for_status()
        sent, spent, waited = 0, used(pid), 0.0
        while waited < seconds:
            content = next(batches)
            began = perf_counter()
            answer = client.post(f"{url}/v1/traces", content=content)
            waited += perf_counter() - began
            assert answer.status_code == 200 and not answer.content, answer.text
            sent += BATCH
        serve, database = (b - a for a, b in zip(spent, used(pid), strict=True))
    print(f"spans              {sent}")
    print(f"a second           {sent / waited:8.0f}   one client, one after the other")
    print(
        f"a second a core    {sent / (serve + database):8.0f}   of server and database"
    )
    print(f"server             {serve / sent * 1e6:8.1f} us of processor a span")
    print(f"database           {database / sent * 1e6:8.1f} us of processor a span")


def used(pid: int) -> tuple[float, float]:
    """Return seconds of processor: of the server, and of the sessions it has."""
    sessions = 0.0
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            title = place.read_bytes()
        except OSError:
            continue
        if title.startswith(b"postgres: intake_i"):
            sessions += of(place.parent)
    return of(Path(f"/proc/{pid}")), sessions


def of(process: Path) -> float:
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def packed(number: int) -> bytes:
    """Return a batch of spans, as an exporter sends it."""
    request = trace_service_pb2.ExportTraceServiceRequest()
    group = request.resource_spans.add()
    add(group.resource, {"service.name": "app"})
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = "pydantic-ai", "2.68.0"
    for place in range(BATCH):
        span = scoped.spans.add()
        span.trace_id = number.to_bytes(16, "big")
        span.span_id = (number * BATCH + place + 1).to_bytes(8, "big")
        span.parent_span_id = (1 << 60).to_bytes(8, "big")
        span.start_time_unix_nano = 1795971433_000000000 + number * 1_000_000 + place
        span.end_time_unix_nano = span.start_time_unix_nano + 1_000_000
        model = place % 3 == 0
        span.name = "chat m-1" if model else "execute_tool search"
        add(span, request_of(number, place) if model else call_of(number, place))
    return gzip.compress(request.SerializeToString(), 1)


def call_of(number: int, place: int) -> dict[str, Any]:
    args = {"query": f"invoices of May {place}", "page": place, "limit": 50}
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": f"search_{place % 7}",
        "gen_ai.tool.call.id": f"call_{number}_{place}",
        "gen_ai.tool.call.arguments": json.dumps(args),
        "gen_ai.tool.call.result": "x" * 400,
        "gen_ai.agent.name": "coder",
        "gen_ai.conversation.id": f"conversation {number % 20}",
        "logfire.msg": "running tool: search",
    }


def request_of(number: int, place: int) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.agent.name": "coder",
        "gen_ai.conversation.id": f"conversation {number % 20}",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m-1",
        "gen_ai.response.model": "m-1",
        "gen_ai.response.id": f"resp_{number}_{place}",
        "gen_ai.usage.input_tokens": 900,
        "gen_ai.usage.output_tokens": 40,
        "gen_ai.usage.cache_read.input_tokens": 800,
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": []}] * 10),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": []}]),
    }


def add(to: Any, attributes: dict[str, Any]) -> None:
    for key, value in attributes.items():
        pair = to.attributes.add()
        pair.key = key
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value


if __name__ == "__main__":
    main()
