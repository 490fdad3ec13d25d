"""A real `agentdb serve` beside a test, and requests as exporters send them."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from .conftest import Connection
from .servers import Server

JSON, PROTOBUF = "application/json", "application/x-protobuf"
REQUESTS: dict[str, Any] = {
    "/v1/traces": trace_service_pb2.ExportTraceServiceRequest,
    "/v1/logs": logs_service_pb2.ExportLogsServiceRequest,
    "/v1/metrics": metrics_service_pb2.ExportMetricsServiceRequest,
}
ANSWERS: dict[str, Any] = {
    "/v1/traces": trace_service_pb2.ExportTraceServiceResponse,
    "/v1/logs": logs_service_pb2.ExportLogsServiceResponse,
    "/v1/metrics": metrics_service_pb2.ExportMetricsServiceResponse,
}
PATIENCE = 60.0


@dataclass
class Serving:
    """A server that takes what is sent, its address, and an agent's token."""

    process: subprocess.Popen[str]
    url: str
    token: str = ""
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=PATIENCE))

    def post(
        self, path: str, content: bytes, kind: str = JSON, **headers: str
    ) -> httpx.Response:
        """Send a body as it is; `token` in the headers replaces the agent's."""
        token = headers.pop("token", self.token)
        given = {"content-type": kind, **headers}
        if token:
            given["authorization"] = f"Bearer {token}"
        return self.client.post(self.url + path, content=content, headers=given)

    def send(
        self,
        body: Any,
        path: str = "/v1/traces",
        *,
        kind: str = JSON,
        pack: bool = False,
    ) -> httpx.Response:
        """Send a request of OTLP, given as its JSON, in either encoding."""
        content = encoded(body, path, kind)
        if pack:
            return self.post(
                path, gzip.compress(content), kind, **{"content-encoding": "gzip"}
            )
        return self.post(path, content, kind)

    @property
    def pid(self) -> int:
        return self.process.pid

    def memory(self) -> int:
        """Return the most memory that the server has had so far, in bytes."""
        with open(f"/proc/{self.pid}/status") as status:
            (line,) = (line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)


def encoded(body: Any, path: str, kind: str) -> bytes:
    """Return a request in an encoding."""
    import json

    if kind == JSON:
        return json.dumps(body).encode()
    made = ParseDict(_with_bytes(body), REQUESTS[path](), ignore_unknown_fields=True)
    content: bytes = made.SerializeToString()
    return content


def _with_bytes(body: Any) -> Any:
    """Return a request whose ids are in base64, as protobuf's own JSON has them."""
    import base64

    if isinstance(body, dict):
        return {
            name: base64.b64encode(bytes.fromhex(each)).decode()
            if name in ("traceId", "spanId", "parentSpanId")
            else _with_bytes(each)
            for name, each in body.items()
        }
    return [_with_bytes(each) for each in body] if isinstance(body, list) else body


@contextmanager
def serving(
    server: Server, db: Connection, *options: str, listen: str = "127.0.0.1:0"
) -> Iterator[Serving]:
    """Run a server until the end of the block; its agent is `coder`."""
    if not db.execute("select from agentdb.agent where agent_name = 'coder'").rowcount:
        db.execute("select agentdb.register_intake_agent('coder')")
    row = db.execute("select agentdb.make_intake_token('coder')").fetchone()
    assert row is not None
    dsn = server.dsn(database=db.info.dbname, user="intake_i")
    with started(dsn, *options, listen=listen) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("agentdb serve: "), said
        yield Serving(process, said.removeprefix("agentdb serve: ").strip(), row[0])


@contextmanager
def started(dsn: str, *options: str, listen: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command; it ends in order, unless it was killed."""
    command = [sys.executable, "-m", "agentdb", "serve", "--dsn", dsn]
    with subprocess.Popen(
        [*command, "--listen", listen, *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def span(name: str = "x", number: int = 1, /, **attributes: Any) -> dict[str, Any]:
    """Return a span; a double underscore in an attribute's name is a dot.

    `trace` among the attributes is the number of its trace.
    """
    trace = int(attributes.pop("trace", 1))
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "parentSpanId": f"{1 << 40:016x}",
        "name": name,
        "startTimeUnixNano": str(1795971433_000000000 + number),
        "endTimeUnixNano": str(1795971433_001000000 + number),
        "attributes": [
            {"key": key.replace("__", "."), "value": value(each)}
            for key, each in attributes.items()
        ],
    }


def called(
    number: int, tool: str = "add", trace: int = 1, **attributes: Any
) -> dict[str, Any]:
    """Return the span of a tool call, as the GenAI conventions have it."""
    given = {
        "gen_ai__operation__name": "execute_tool",
        "gen_ai__tool__name": tool,
        "gen_ai__tool__call__id": f"c{trace}-{number}",
    }
    return span(f"execute_tool {tool}", number, trace=trace, **given, **attributes)


def traces(*spans: Any, scope: str = "test", **resource: Any) -> dict[str, Any]:
    """Return a request with these spans."""
    attributes = [
        {"key": key.replace("__", "."), "value": value(each)}
        for key, each in resource.items()
    ]
    scoped = {"scope": {"name": scope, "version": "1"}, "spans": list(spans)}
    return {
        "resourceSpans": [
            {"resource": {"attributes": attributes}, "scopeSpans": [scoped]}
        ]
    }


def value(given: Any) -> dict[str, Any]:
    """Return a value as OTLP has it."""
    if isinstance(given, bool):
        return {"boolValue": given}
    if isinstance(given, int):
        return {"intValue": str(given)}
    if isinstance(given, float):
        return {"doubleValue": given}
    if isinstance(given, list):
        return {"arrayValue": {"values": [value(each) for each in given]}}
    return {"stringValue": str(given)}
