"""`agentdb serve`: who may ask, what is answered, and in what words."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from .agents import rows, value
from .conftest import Connection
from .servers import Server
from .serving import (
    ANSWERS,
    JSON,
    PROTOBUF,
    Serving,
    called,
    encoded,
    serving,
    span,
    traces,
)


def count(db: Connection) -> int:
    return int(value(db, "select count(*) from agentdb.tool_call_log"))


# -- who asks


def test_token_proves_whatever_the_span_says(db: Connection, serve: Serving) -> None:
    db.execute("select agentdb.register_intake_agent('other')")
    body = traces(called(1), agentdb__agent="other", service__name="other")
    assert serve.send(body).status_code == 200
    (found,) = rows(
        db,
        "select a.agent_name, l.recorded_by from agentdb.tool_call_log as l"
        " join agentdb.agent as a using (agent_id)",
    )
    assert found == {"agent_name": "coder", "recorded_by": "otlp"}


def test_resource_chooses_the_conversation(db: Connection, serve: Serving) -> None:
    serve.send(traces(called(1), agentdb__conversation="release 7"))
    assert value(db, "select conversation from agentdb.run") == "release 7"


def test_without_a_token_it_is_unproven(db: Connection, serve: Serving) -> None:
    body = traces(called(1), agentdb__agent="coder")
    answer = serve.post("/v1/traces", json.dumps(body).encode(), token="")
    assert answer.status_code == 200
    assert count(db) == 0
    assert not rows(db, "select * from agentdb.run")
    assert value(db, "select count(*) from agentdb.unproven_event") == 1


def test_wrong_token_is_none(db: Connection, serve: Serving) -> None:
    answer = serve.post("/v1/traces", b"{}", token="adbi_wrong")
    assert answer.status_code == 401
    assert "agentdb intake token" in answer.json()["message"]


def test_revoked_token_is_none(db: Connection, serve: Serving) -> None:
    """It was never asked for before, so that nothing is remembered of it."""
    db.execute(
        "select agentdb.revoke_intake_token(token_id) from agentdb.intake_tokens"
    )
    assert serve.send(traces(called(1))).status_code == 401


def test_peer_of_a_unix_socket_is_its_user(
    server: Server, db: Connection, tmp_path: Path
) -> None:
    db.execute("select agentdb.register_intake_agent('coder')")
    db.execute(
        "update agentdb.agent set os_user = %s where agent_name = 'coder'",
        [getpass.getuser()],
    )
    path = tmp_path / "serve.socket"
    with serving(server, db, "--socket", str(path)):
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport, base_url="http://agentdb") as client:
            answer = client.post("/v1/traces", json=traces(called(1)))
        assert answer.status_code == 200, answer.text
    assert count(db) == 1
    assert not path.exists()


@pytest.mark.parametrize("said", ["[uid:{}]", "uid:{}", "[uid:{}]:1, 127.0.0.1"])
def test_header_makes_nobody_the_peer_of_a_socket(
    db: Connection, serve: Serving, said: str
) -> None:
    db.execute("select agentdb.set_os_user('coder', %s)", [getpass.getuser()])
    header = {"x-forwarded-for": said.format(os.getuid())}
    answer = serve.post("/hook/whoami", b"", token="", **header)
    assert (answer.status_code, answer.text) == (200, "")
    # Nor does it let in a page of another server under another name.
    header |= {"host": "evil.example", "origin": "http://evil.example"}
    assert serve.post("/hook/whoami", b"", token="", **header).status_code == 421


def test_token_is_required_where_others_can_ask(server: Server, db: Connection) -> None:
    with serving(server, db, "--token-required", listen="0.0.0.0:0") as serve:
        serve.url = serve.url.replace("0.0.0.0", "127.0.0.1")
        assert serve.post("/v1/traces", b"{}", token="").status_code == 401
        assert serve.send(traces(called(1))).status_code == 200
    assert count(db) == 1


def test_others_cannot_ask_without_a_token(server: Server, db: Connection) -> None:
    done = command(server, db, "--listen", "0.0.0.0:0")
    assert done.returncode == 1
    assert "require a token" in done.stderr
    assert "--token-required" in done.stderr


@pytest.mark.parametrize("host", ("evil.example", "evil.example:4318", "", "[::1"))
def test_name_that_leads_here_is_refused(serve: Serving, host: str) -> None:
    answer = serve.post("/v1/traces", b"{}", host=host)
    assert answer.status_code == 421


def test_page_of_another_server_is_refused(serve: Serving) -> None:
    answer = serve.post("/v1/traces", b"{}", origin="http://evil.example")
    assert answer.status_code == 421


def test_behind_a_proxy_its_name_is_good_and_a_token_needed(
    server: Server, db: Connection
) -> None:
    with serving(server, db, "--behind-proxy", "agents.example") as serve:
        named = {"host": "agents.example"}
        assert serve.post("/v1/traces", b"{}", **named).status_code == 200
        assert serve.post("/v1/traces", b"{}", token="", **named).status_code == 401


# -- what is answered


@pytest.mark.parametrize("kind", (JSON, PROTOBUF))
def test_rejected_elements_are_counted_and_kept_for_inspection(
    db: Connection, serve: Serving, kind: str
) -> None:
    body = traces(called(1), agentdb__conversation="x")
    spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
    content = encoded(body, "/v1/traces", kind)
    if kind == JSON:
        spans.append(7)
        content = json.dumps(body).encode()
    else:
        # A span whose name is no UTF-8.
        content += b"\x0a\x08\x12\x06\x12\x04\x2a\x02\xff\xff"
    answer = serve.post("/v1/traces", content, kind)
    assert answer.status_code == 200, answer.content
    if kind == JSON:
        partial = answer.json()["partialSuccess"]
        assert partial == {"rejectedSpans": "1", "errorMessage": "malformed"}
    else:
        said = ANSWERS["/v1/traces"].FromString(answer.content).partial_success
        assert (said.rejected_spans, said.error_message) == (1, "malformed")
    assert count(db) == 1
    assert answer.headers["content-type"] == kind


def test_unknown_words_are_kept_for_inspection(db: Connection, serve: Serving) -> None:
    body = traces(span(llm__new_thing="x"), scope="something.new")
    assert serve.send(body).json() == {}
    found = until(db, "select reason, emitter, path from agentdb.intake_problems")
    assert found == [
        {
            "reason": "unknown_dialect",
            "emitter": "something.new 1",
            "path": "/v1/traces",
        }
    ]


def test_what_no_agent_wrote_is_left(db: Connection, serve: Serving) -> None:
    assert serve.send(traces(span("GET /", http__method="GET"))).json() == {}
    assert count(db) == 0


def test_unregistered_agent_is_told_so(db: Connection, serve: Serving) -> None:
    body = traces(called(1), agentdb__agent="nobody")
    answer = serve.post("/v1/traces", json.dumps(body).encode(), token="")
    partial = answer.json()["partialSuccess"]
    assert partial["rejectedSpans"] == "1"
    assert "there is no agent nobody" in partial["errorMessage"]


def test_secrets_do_not_reach_the_database(db: Connection, serve: Serving) -> None:
    secret = "sk-ant-" + "a" * 40
    args = json.dumps({"token": secret, "text": f"use {secret}"})
    serve.send(traces(called(1, gen_ai__tool__call__arguments=args)))
    found = json.dumps(value(db, "select args from agentdb.tool_call_log"))
    assert secret not in found
    assert "[secret]" in found


def test_text_that_no_database_stores(db: Connection, serve: Serving) -> None:
    """NUL, half of a surrogate pair, and a number that is none."""
    args = json.dumps({"a": "x\x00y", "b": "\ud800", "c": 1e400})
    body = traces(called(1, gen_ai__tool__call__arguments=args))
    assert serve.send(body).json() == {}
    found = value(db, "select args from agentdb.tool_call_log")
    assert found == {"a": "x\ufffdy", "b": "\ufffd", "c": "inf"}


def test_health_and_numbers(db: Connection, serve: Serving) -> None:
    serve.send(traces(called(1), called(2)))
    health = httpx.get(f"{serve.url}/healthz")
    assert (health.status_code, health.json()["ok"]) == (200, True)
    lines = httpx.get(f"{serve.url}/metrics").text.splitlines()
    assert 'agentdb_intake_events_total{status="recorded"} 2' in lines
    assert 'agentdb_intake_requests_total{path="/v1/traces",status="200"} 1' in lines


def test_ends_in_order(server: Server, db: Connection) -> None:
    with serving(server, db) as serve:
        serve.send(traces(called(1)))
    assert serve.process.returncode == 0


def test_taken_port_is_said(server: Server, db: Connection) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = command(server, db, "--listen", f"127.0.0.1:{other.getsockname()[1]}")
    assert done.returncode == 1
    assert "in use" in done.stderr


def test_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import sys; sys.modules['starlette'] = None; sys.modules['uvicorn'] = None\n"
        "from agentdb.cli import main; main(['serve'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "the extra serve is missing" in done.stderr
    assert "pip install 'agentdb-pg[serve]'" in done.stderr


def command(
    server: Server, db: Connection, *options: str
) -> subprocess.CompletedProcess[str]:
    dsn = server.dsn(database=db.info.dbname, user="intake_i")
    return subprocess.run(
        [sys.executable, "-m", "agentdb", "serve", "--dsn", dsn, *options],
        capture_output=True,
        text=True,
        timeout=60,
    )


def until(db: Connection, question: str) -> list[dict[str, Any]]:
    """Ask until there is an answer; problems are written down within a second."""
    import time

    end = time.monotonic() + 30
    while not (found := rows(db, question)):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("app_user", "grant agentdb_intake to app_user"),
        ("agent_a", "agent_a is the role of an agent"),
    ],
)
def test_role_that_may_not_is_told_at_once(
    server: Server, db: Connection, user: str, said: str
) -> None:
    dsn = server.dsn(database=db.info.dbname, user=user)
    command = [sys.executable, "-m", "agentdb", "serve", "--listen", "127.0.0.1:0"]
    done = subprocess.run([*command, "--dsn", dsn], capture_output=True, text=True)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stdout == ""


def test_database_that_is_away_is_waited_for(server: Server) -> None:
    command = [sys.executable, "-m", "agentdb", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--dsn", "postgresql://x@127.0.0.1:9/x"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.terminate()
        assert "the database is away, so far" in process.stderr.read()
    assert process.returncode == 0
