"""The gateway between clients and servers that do not behave."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from agentdb import Agent
from agentdb.client import Run
from agentdb.mcp import gateway as module
from agentdb.mcp.events import Events, data
from agentdb.mcp.gateway import Gateway
from agentdb.mcp.http import application

from .agents import register, row, rows, value
from .conftest import Connection
from .scene import until
from .servers import Server

ROOT = Path(__file__).parent.parent
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t"}}
ANSWER = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    register(db)
    return server.dsn(database=db.info.dbname, user="agent_a")


@pytest.fixture
def run(dsn: str) -> Iterator[Run]:
    with Agent(dsn).run() as run:
        yield run


def line(message: Any) -> bytes:
    return json.dumps(message).encode()


def calls(db: Connection, run: Run) -> list[tuple[str, str | None]]:
    run._log.flush()
    query = "select tool, error from agentdb.tool_call_log order by tool_call_log_id"
    return [(each["tool"], each["error"]) for each in rows(db, query)]


ODD: list[Any] = [
    None, 1, "x", [], [[]], [None, 1], {}, {"method": 1}, {"id": None},
    {"method": "tools/call", "id": 1, "params": [1]},
    {"method": "tools/call", "id": [1], "params": "x"},
    {"method": "tools/call", "id": {}, "params": {"_meta": "x", "name": [1]}},
    {"method": "tools/call", "id": 1, "params": {"requestState": {"a": 1}}},
    {"method": "notifications/cancelled", "params": 1},
    {"method": "tools/list", "id": 1},
    {"id": 1, "result": "x"}, {"id": 1, "result": {"tools": "x"}},
    {"id": 1, "result": {"tools": [1, {"name": [1]}, {"name": "t", "inputSchema": 1}]}},
    {"id": 1, "error": "x"}, {"id": 1, "result": {"content": 1}},
    {"id": 1, "result": {"content": [{"text": 1}, 1], "isError": "x"}},
    {"id": 1, "result": {"resultType": "input_required", "requestState": [1]}},
]  # fmt: skip


def test_whatever_is_said_goes_on(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway(run)
    for first in ODD:
        for second in ODD:
            assert gateway.from_client(line(first)) is None
            gateway.from_server(line(second))
    assert gateway.from_client(b"[" * 100_000) is None
    gateway.closed("the end")
    assert "unseen" not in caplog.text


def test_tool_whose_schema_is_none_is_called(db: Connection, run: Run) -> None:
    gateway = Gateway(run)
    gateway.from_client(line({"id": 9, "method": "tools/list"}))
    schema = {"type": "no such type", "properties": 5}
    tools = {"tools": [{"name": "t", "inputSchema": schema}]}
    gateway.from_server(line({"id": 9, "result": tools}))
    gateway.from_client(line(CALL))
    gateway.from_server(line(ANSWER))
    assert calls(db, run) == [("t", None)]


def test_ids_of_every_type_are_matched(db: Connection, run: Run) -> None:
    gateway = Gateway(run)
    for number, answer in ((1, 1), ("1", "1"), (2.0, 2), (3, 3.0), (None, None)):
        gateway.from_client(line({**CALL, "id": number}))
        gateway.from_server(line({**ANSWER, "id": answer}))
    assert calls(db, run) == [("t", None)] * 5


def test_id_that_is_used_again_in_flight_is_two_calls(db: Connection, run: Run) -> None:
    gateway = Gateway(run)
    gateway.from_client(line(CALL))
    gateway.from_client(line({**CALL, "params": {"name": "u"}}))
    gateway.from_server(line(ANSWER))
    first, second = calls(db, run)
    assert first == ("t", "protocol: its id was given to another call")
    assert second == ("u", None)


def test_calls_that_wait_forever_are_bounded(
    db: Connection, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING", 3)
    gateway = Gateway(run)
    for number in range(5):
        gateway.from_client(line({**CALL, "id": number}))
        result = {"resultType": "input_required", "requestState": f"s{number}"}
        gateway.from_server(line({"id": number, "result": result}))
    assert len(gateway._waiting) == 3
    assert len(calls(db, run)) == 2


def test_batch_with_a_refused_call_is_answered_in_full(
    db: Connection, run: Run
) -> None:
    db.execute("select agentdb.kill_run(%s, 'enough')", [run.id])
    until(lambda: run.stopped is not None)
    batch = [CALL, {"id": 2, "method": "ping"}, {"method": "notifications/x"}]
    answered = Gateway(run).from_client(b" " + line(batch))
    first, second = json.loads(answered or b"")
    assert first["id"] == 1 and first["result"]["isError"] is True
    assert second["id"] == 2 and second["error"]["code"] == -32000


def stand(dsn: str, *command: str, **how: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "agentdb", "gateway", "--", *command],
        env={**os.environ, "AGENTDB_DSN": dsn},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **how,
    )


def test_client_that_writes_much_before_it_reads_is_served(dsn: str) -> None:
    """A server that takes all before it says a word, and much on its standard error."""
    loud = (
        "import sys; text = sys.stdin.buffer.read();"
        "sys.stderr.write('x' * 3_000_000); sys.stdout.buffer.write(text)"
    )
    child = stand(dsn, sys.executable, "-c", loud, stderr=subprocess.DEVNULL)
    sent = b'{"id": 1, "method": "x"}\n' * 100_000 + b'{"a": "' + b"x" * 20_000_000
    assert child.communicate(sent, timeout=120)[0] == sent
    assert child.returncode == 0


def test_lines_pass_as_the_bytes_that_they_are(dsn: str) -> None:
    child = stand(dsn, "cat")
    sent = b'{"id": 1}\r\n\r\n \n\x00\xff\n' + line(CALL) + b"\r\nno end"
    assert child.communicate(sent, timeout=60)[0] == sent


def test_client_that_is_gone_leaves_a_server_that_ends_and_a_record(
    db: Connection, dsn: str
) -> None:
    late = f"import sys, time; sys.stdin.read();print({json.dumps(ANSWER)!r})"
    child = stand(dsn, sys.executable, "-c", late, stderr=subprocess.PIPE)
    assert child.stdin and child.stdout and child.stderr
    child.stdin.write(line(CALL) + b"\n")
    child.stdin.flush()
    child.stdout.close()
    child.stdin.close()
    assert child.wait(60) == 0
    with child.stderr as said:
        assert b"Traceback" not in said.read()
    assert row(db, "select tool, ok from agentdb.tool_call_log") == {
        "tool": "t", "ok": True,
    }  # fmt: skip


def test_signal_to_the_gateway_is_one_to_the_server(db: Connection, dsn: str) -> None:
    stays = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(0.1)\n"
    )
    child = stand(dsn, sys.executable, "-c", stays)
    assert child.stdin and child.stdout
    assert child.stdout.readline() == b"ready\n"
    child.stdin.write(line(CALL) + b"\n")
    child.stdin.flush()
    # The client is there still.
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) == 5
    child.communicate()
    assert value(db, "select outcome from agentdb.run") == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_server_that_hears_no_signal_is_ended_by_it(
    db: Connection, dsn: str, number: signal.Signals
) -> None:
    """Its open call is recorded, and the code is that of a shell."""
    told = "print(1, flush=True); input(); print(2, flush=True); input()"
    child = stand(dsn, sys.executable, "-c", told)
    assert child.stdin and child.stdout
    assert child.stdout.readline() == b"1\n"
    child.stdin.write(line(CALL) + b"\n")
    child.stdin.flush()
    # It has the call.
    assert child.stdout.readline() == b"2\n"
    child.send_signal(number)
    assert child.wait(60) == 128 + signal.SIGTERM
    child.communicate()
    ended = row(db, "select outcome, summary from agentdb.run")
    assert ended == {"outcome": "cancelled", "summary": "the gateway was told to end"}
    (error,) = rows(db, "select error from agentdb.tool_call_log")
    assert error == {"error": "protocol: the server ended with -15"}


# Over HTTP.


async def odd(request: Request) -> Response:
    """A server of many manners, by path."""
    way = request.url.path
    if way == "/mcp/redirect":
        return RedirectResponse("/mcp/there", 307)
    if way == "/mcp/broken":
        return StreamingResponse(breaks(), media_type="text/event-stream")
    if way == "/mcp/denied":
        return Response("who?", 401, {"www-authenticate": "Bearer"})
    if way == "/mcp/failed":
        return Response("oops", 500)
    body = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    answer = Response(body, headers={"x-path": way, "x-query": request.url.query})
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer


async def breaks() -> AsyncIterator[bytes]:
    yield b"data: {}\n\n"
    raise ConnectionError


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
    app = Starlette(routes=[Route("/{path:path}", odd, methods=methods)])
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        thread = threading.Thread(target=server.run, args=[[listening]])
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        server.should_exit = True
        thread.join()


@pytest.fixture
def client(run: Run, upstream: str) -> Iterator[TestClient]:
    app = application(Gateway(run), upstream)
    with TestClient(
        app, base_url="http://127.0.0.1:8", follow_redirects=False
    ) as client:
        yield client


def test_over_http_all_that_is_asked_goes_to_its_own_place(client: TestClient) -> None:
    assert client.get("/.well-known/x?a=1&b=2").headers["x-query"] == "a=1&b=2"
    assert client.get("/.well-known/x").headers["x-path"] == "/.well-known/x"
    assert client.get("/").headers["x-path"] == "/mcp"
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        answer = client.request(method, "/mcp", content=b"body")
        assert answer.status_code == 200, method
        assert answer.headers.get_list("set-cookie") == [
            "a=1; Path=/; SameSite=lax", "b=2; Path=/; SameSite=lax",
        ]  # fmt: skip


def test_over_http_large_and_packed_bodies_arrive(client: TestClient) -> None:
    large = b"x" * 20_000_000
    assert client.post("/mcp", content=large).content == large
    packed = gzip.compress(b"text")
    headers = {"content-encoding": "gzip"}
    assert client.post("/mcp", content=packed, headers=headers).content == b"text"


def test_over_http_redirect_stays_within_the_gateway(
    db: Connection, run: Run, client: TestClient
) -> None:
    answer = client.post("/mcp/redirect", json=CALL)
    assert answer.status_code == 307
    assert answer.headers["location"] == "http://127.0.0.1:8/mcp/there"
    assert client.post(answer.headers["location"], json=ANSWER).status_code == 200
    assert calls(db, run) == []


def test_over_http_call_that_was_not_made_is_none_and_one_that_broke_failed(
    db: Connection, run: Run, client: TestClient
) -> None:
    assert client.post("/mcp/denied", json=CALL).status_code == 401
    assert client.post("/mcp/failed", json=CALL).status_code == 500
    client.post("/mcp/broken", json=CALL)
    # What the server breaks off is recorded after its answer.
    until(lambda: len(calls(db, run)) >= 2)
    errors = [error or "" for _, error in calls(db, run)]
    assert len(errors) == 2
    assert errors[0] == "protocol: HTTP 500"
    assert errors[1].startswith("protocol: RemoteProtocolError")


def test_over_http_page_of_another_site_is_refused(
    db: Connection, run: Run, client: TestClient
) -> None:
    """What a browser sends without asking for leave."""
    for origin, status in (
        ("https://evil.example", 403),
        ("null", 403),
        ("http://localhost.evil.example", 403),
        ("http://localhost:6274", 200),
    ):
        headers = {"origin": origin, "content-type": "text/plain"}
        answer = client.post("/mcp", content=line(CALL), headers=headers)
        assert answer.status_code == status, origin


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_events_are_found_wherever_a_stream_is_cut(end: bytes) -> None:
    whole = b": hello\ndata: one" + end + b"event: x\ndata: t\ndata: wo" + end
    for size in range(1, len(whole)):
        events = Events()
        found = [
            each
            for at in range(0, len(whole), size)
            for each in events.add(whole[at : at + size])
        ]
        assert b"".join(found) == whole, size
        assert [data(each) for each in found] == [b"one", b"t\nwo"], size


def test_large_event_is_read_in_one_go() -> None:
    events = Events()
    for _ in range(2000):
        assert list(events.add(b"x" * 65536)) == []
    assert len(list(events.add(b"\n\n"))) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_over_http_signal_ends_the_run(
    db: Connection, dsn: str, upstream: str, number: signal.Signals
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "agentdb", "gateway", "--http", upstream],
        env={**os.environ, "AGENTDB_DSN": dsn},
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert child.stdout
    port = int(child.stdout.readline().rpartition(b":")[2].split(b"/")[0])
    until(lambda: answers(port))
    child.send_signal(number)
    child.communicate(timeout=60)
    assert child.returncode == 0
    assert value(db, "select outcome from agentdb.run") == "succeeded"


def answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0
