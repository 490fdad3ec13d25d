"""What no exporter sends: a clear status, bounded memory, and others go on.

Nothing here looks at a clock: that a client is not delayed is seen by what is done first.
"""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .agents import value
from .conftest import Connection
from .serving import JSON, PROTOBUF, Serving, called, encoded, span, traces

MIB = 1 << 20
# What all of it may add to what the server is when it has started.
ADDED = 450 * MIB
PACKED = {"content-encoding": "gzip"}


def count(db: Connection) -> int:
    return int(value(db, "select count(*) from agentdb.tool_call_log"))


@pytest.mark.parametrize(
    ("content", "kind", "headers", "status"),
    [
        (b"\xff\xff", PROTOBUF, {}, 400),
        (b"\x0a\xff\x01", PROTOBUF, {}, 400),
        (b"\x0a\x7f", PROTOBUF, {}, 400),
        (b"\x80" * 100, PROTOBUF, {}, 400),
        (b"{", JSON, {}, 400),
        (b"", JSON, {}, 400),
        (b"[]", JSON, {}, 400),
        (b"nul", JSON, {}, 400),
        (b'"\xff"', JSON, {}, 400),
        (b"[" * 200_000, JSON, {}, 400),
        (b'{"a":' * 100_000, JSON, {}, 400),
        (b'{"resourceSpans": 3}', JSON, {}, 400),
        (b'{"resourceSpans": [{"resource": 3}]}', JSON, {}, 400),
        (b"{}", "text/plain", {}, 415),
        (b"{}", "application/x-www-form-urlencoded", {}, 415),
        (b"{}", JSON, {"content-encoding": "br"}, 415),
        (b"{}", JSON, PACKED, 400),
        (gzip.compress(b"{}" * 1000, mtime=0)[:-9], JSON, PACKED, 400),
        (gzip.compress(b"{}", mtime=0) + b"more", JSON, PACKED, 400),
        (b" " * (17 * MIB), JSON, {}, 413),
        (gzip.compress(bytes(100 * MIB), 9, mtime=0), PROTOBUF, PACKED, 413),
        (zlib.compress(bytes(100 * MIB), 9), JSON, {"content-encoding": "deflate"}, 413),
    ],
)  # fmt: skip
def test_status_is_clear(
    standing: tuple[Connection, Serving],
    content: bytes,
    kind: str,
    headers: dict[str, str],
    status: int,
) -> None:
    db, serve = standing
    before = count(db)
    answer = serve.post("/v1/traces", content, kind, **headers)
    assert answer.status_code == status, answer.text
    assert answer.content
    # It is there for the next one, and asks nobody to send that again.
    assert "retry-after" not in answer.headers
    assert serve.send(traces(called(1000 + before))).json() == {}
    assert count(db) == before + 1


def test_member_of_gzip_after_the_other(db: Connection, serve: Serving) -> None:
    text = json.dumps(traces(called(1))).encode()
    content = gzip.compress(text[:99], mtime=0) + gzip.compress(text[99:])
    assert serve.post("/v1/traces", content, JSON, **PACKED).status_code == 200
    assert count(db) == 1


def test_packed_by_deflate(db: Connection, serve: Serving) -> None:
    content = zlib.compress(json.dumps(traces(called(1))).encode())
    kind = {"content-encoding": "deflate"}
    assert serve.post("/v1/traces", content, JSON, **kind).status_code == 200
    assert count(db) == 1


def test_deep_value_costs_itself_alone(db: Connection, serve: Serving) -> None:
    deep = called(2)
    inner: dict[str, object] = {"stringValue": "x"}
    for _ in range(90):
        inner = {"arrayValue": {"values": [inner]}}
    deep["attributes"].append({"key": "x", "value": inner})
    answer = serve.send(traces(called(1), deep))
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert count(db) == 1


@pytest.mark.parametrize("kind", (JSON, PROTOBUF))
@pytest.mark.parametrize("at", ("\x00", "{" * 5000, "x" * (1 * MIB)))
def test_arguments_of_any_size(
    db: Connection, serve: Serving, kind: str, at: str
) -> None:
    body = traces(called(1, gen_ai__tool__call__arguments=json.dumps({"a": at})))
    assert serve.send(body, kind=kind).status_code == 200
    assert count(db) == 1


def test_empty_spans_by_the_million(db: Connection, serve: Serving) -> None:
    """Two bytes each: as objects they would be gigabytes."""
    before = serve.memory()
    inner = b"\x12\x00" * 1_000_000
    scope = b"\x12" + varint(len(inner)) + inner
    body = b"\x0a" + varint(len(scope)) + scope
    for _ in range(3):
        assert serve.post("/v1/traces", body, PROTOBUF).status_code == 413
    assert serve.memory() - before < ADDED


def test_empty_attributes_by_the_million(db: Connection, serve: Serving) -> None:
    before = serve.memory()
    inner = b"\x4a\x00" * 900_000
    one = b"\x12" + varint(len(inner)) + inner
    scope = b"\x12" + varint(len(one) * 4) + one * 4
    body = b"\x0a" + varint(len(scope)) + scope
    assert serve.post("/v1/traces", body, PROTOBUF).status_code == 200
    assert serve.memory() - before < ADDED


def test_nested_lists_of_json(db: Connection, serve: Serving) -> None:
    before = serve.memory()
    body = b'{"resourceSpans": [' + b"[]," * 4_000_000 + b"[]]}"
    assert serve.post("/v1/traces", body).status_code in (200, 400, 413)
    assert serve.memory() - before < 3 * ADDED


def test_tiny_spans_by_the_million_and_a_client_beside(
    db: Connection, serve: Serving
) -> None:
    """Twelve requests of 90,000 spans, all at once; another client is done first."""
    before = serve.memory()
    tiny = [span("x", number, http__x="y") for number in range(90_000)]
    content = gzip.compress(encoded(traces(*tiny), "/v1/traces", PROTOBUF), 1)
    with ThreadPoolExecutor(13) as pool:
        flood = [
            pool.submit(serve.post, "/v1/traces", content, PROTOBUF, **PACKED)
            for _ in range(12)
        ]
        for number in range(5):
            assert serve.send(traces(called(number))).json() == {}
        assert not all(each.done() for each in flood)
        wait(flood)
        for each in flood:
            answer = each.result()
            assert answer.status_code in (200, 503)
            assert answer.status_code == 200 or answer.headers["retry-after"]
    assert count(db) == 5
    assert serve.memory() - before < 2 * ADDED


def test_flood_of_calls_and_a_client_beside(db: Connection, serve: Serving) -> None:
    """20,000 calls of one request go in slices; another's one call between them."""
    many = [called(number, trace=2) for number in range(20_000)]
    content = encoded(traces(*many), "/v1/traces", PROTOBUF)
    with ThreadPoolExecutor(1) as pool, httpx.Client() as client:
        flood = pool.submit(serve.post, "/v1/traces", content, PROTOBUF)
        while count(db) == 0 and not flood.done():
            pass
        answer = client.post(
            f"{serve.url}/v1/traces",
            json=traces(called(1)),
            headers={"authorization": f"Bearer {serve.token}"},
        )
        assert answer.json() == {}
        assert not flood.done()
        assert flood.result().status_code == 200
    assert count(db) == 20_001


def test_large_events_are_committed_in_parts(db: Connection, serve: Serving) -> None:
    """Who sends a few of a megabyte each has others wait for one, not for all."""
    args = {f"k{n}": n for n in range(50_000)}
    calls = [
        {"kind": "call", "tool": "x", "call_id": f"x{n}", "args": args}
        for n in range(10)
    ]
    event = {"hook_event_name": "Stop", "session_id": "s", "agentdb_transcript": calls}
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(serve.post, "/hook", json.dumps(event).encode())
        while not (seen := count(db)):
            assert not sent.done() or sent.result().status_code == 200
        # Not a half of what one call of the database takes, which is all of them.
        assert seen < 5
        assert sent.result().status_code == 200
    assert count(db) == 10


def test_replays_are_counted_once(db: Connection, serve: Serving) -> None:
    tokens = span(
        "chat", 9, gen_ai__operation__name="chat", gen_ai__usage__input_tokens=5
    )
    body = traces(called(1), called(2), tokens)
    with ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda _: serve.send(body), range(40)):
            assert answer.json() == {}
    assert count(db) == 2
    assert value(db, "select sum(input_tokens) from agentdb.token_log") == 5


def test_slow_and_broken_clients_hold_nobody(db: Connection, serve: Serving) -> None:
    host, port = serve.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/traces HTTP/1.1\r\nhost: {host}\r\ncontent-type: {JSON}\r\n"
        "content-length: 1000\r\n\r\n"
    )
    stalled = [socket.create_connection((host, int(port))) for _ in range(50)]
    for each in stalled:
        each.sendall(head.encode() + b"{")
    assert serve.send(traces(called(1))).json() == {}
    for each in stalled:
        each.close()
    assert serve.send(traces(called(2))).json() == {}
    assert count(db) == 2


def test_more_than_may_be_held_is_told_to_come_again(
    db: Connection, serve: Serving
) -> None:
    """Bodies that are announced and do not come count as held: then it is full."""
    host, port = serve.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/traces HTTP/1.1\r\nhost: {host}\r\ncontent-type: {JSON}\r\n"
        f"authorization: Bearer {serve.token}\r\n"
        f"content-length: {16 * MIB}\r\n\r\n"
    )
    stalled = [socket.create_connection((host, int(port))) for _ in range(8)]
    for each in stalled:
        each.sendall(head.encode() + b"{")
    # Four of them are held; when the other four were refused, it is full.
    told = 'agentdb_intake_requests_total{path="/v1/traces",status="503"} 4'
    pages = (httpx.get(f"{serve.url}/metrics").text for _ in range(10_000))
    assert any(told in page.splitlines() for page in pages)
    full = serve.send(traces(called(1)))
    assert full.status_code == 503
    assert int(full.headers["retry-after"]) > 0
    for each in stalled:
        each.close()
    answers = (serve.send(traces(called(2))) for _ in range(1000))
    assert any(each.status_code == 200 for each in answers)
    assert count(db) <= 2


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.binary(max_size=400), kind=st.sampled_from((JSON, PROTOBUF)))
def test_any_bytes_are_answered(serve: Serving, content: bytes, kind: str) -> None:
    for path in ("/v1/traces", "/v1/logs", "/v1/metrics"):
        assert serve.post(path, content, kind).status_code in (200, 400)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner)
    ),
    max_leaves=10,
)
NAMES = st.sampled_from(
    (
        "gen_ai.operation.name", "gen_ai.tool.name", "gen_ai.tool.call.id",
        "gen_ai.usage.input_tokens", "gen_ai.output.messages", "gen_ai.response.model",
        "gen_ai.tool.definitions", "openinference.span.kind", "session.id", "metadata",
        "llm.token_count.prompt", "traceloop.span.kind", "langsmith.span.kind",
        "ai.operationId", "span.type", "event.name", "input_token_count", "tool_name",
        "litellm.call_id", "hidden_params", "metadata.usage_object", "ai.prompt.tools",
        "ai.prompt.messages", "input.value", "output.value", "gen_ai.input.messages",
        "llm.output_messages.0.message.role", "ai.response.toolCalls",
    )
)  # fmt: skip
WORDS = st.sampled_from(
    ("execute_tool", "chat", "invoke_agent", "LLM", "TOOL", "AGENT", "tool", "llm",
     "llm_request", "tool_result", "api_request", "ai.toolCall", "codex.tool_result",
     "ai.generateText.doGenerate", "gemini_cli.tool_call", "gemini_cli.api_response")
)  # fmt: skip
SCOPES = st.sampled_from(
    ("x", "pydantic-ai", "litellm", "com.anthropic.claude_code.tracing", "gemini-cli",
     "codex_otel", "openinference.instrumentation.openai_agents", "gen_ai")
)  # fmt: skip


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    attributes=st.dictionaries(NAMES, WORDS | VALUES.map(json.dumps) | st.integers()),
    scope=SCOPES,
    path=st.sampled_from(("/v1/traces", "/v1/logs")),
)
def test_any_attributes_are_understood_or_told(
    serve: Serving, attributes: dict[str, Any], scope: str, path: str
) -> None:
    """A dialect that fails is a fault of ours, whatever it was given."""
    body = traces(span("x", 1, **attributes), scope=scope)
    if path == "/v1/logs":
        text = json.dumps(body).replace("resourceSpans", "resourceLogs")
        text = text.replace("scopeSpans", "scopeLogs").replace(
            '"spans"', '"logRecords"'
        )
        body = json.loads(text)
    answer = serve.send(body, path)
    assert answer.status_code == 200
    assert "Error in" not in answer.text


def varint(number: int) -> bytes:
    """Return a number as protobuf writes it."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])
