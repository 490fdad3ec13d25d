"""`agentdb-hook`: one event in, one answer out, whatever is at the other end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import pytest

from .test_transcript import DATA

PROGRAM = Path(sys.executable).parent / "agentdb-hook"
# What it must not wait for: each is more than the rest together.
HEAVY = {
    "click",
    "psycopg",
    "http.client",
    "ssl",
    "asyncio",
    "email",
    "logging",
    "rich",
}


@dataclass
class Server:
    """What was asked, and what is answered."""

    address: str = ""
    status: int = 200
    answer: bytes = b"{}"
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            server.bodies.append(json.loads(self.rfile.read(length)))
            server.headers.append({n.lower(): v for n, v in self.headers.items()})
            self.send_response(server.status)
            self.end_headers()
            self.wfile.write(server.answer)

        def log_message(self, *said: object) -> None:
            return None

    return Handler


@contextmanager
def serving(server: Server, path: Path | None = None) -> Iterator[Server]:
    """Listen on the loopback, or on a unix socket."""
    if path:
        listening: Any = ThreadingUnixStreamServer(str(path), handler(server))
        listening.server_name, listening.server_port = "", 0
        server.address = f"unix:{path}"
    else:
        listening = ThreadingHTTPServer(("127.0.0.1", 0), handler(server))
        server.address = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def hook(
    event: object, address: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command as an agent does."""
    text = event if isinstance(event, str) else json.dumps(event)
    environment = {"AGENTDB_SERVE": address, "PATH": "/usr/bin:/bin", **variables}
    return subprocess.run(
        [PROGRAM], input=text, env=environment, capture_output=True, text=True
    )


EVENT = {"hook_event_name": "PreToolUse", "session_id": "s", "tool_name": "Bash"}


@pytest.mark.parametrize("unix", [False, True])
def test_event_and_answer_are_passed_on(tmp_path: Path, unix: bool) -> None:
    server = Server(answer=b'{"x": "\xc3\xa9"}')
    with serving(server, tmp_path / "s" if unix else None):
        done = hook(EVENT, server.address, AGENTDB_INTAKE_TOKEN="t-1")
    assert (done.returncode, done.stdout) == (0, '{"x": "é"}\n')
    assert server.bodies == [EVENT]
    assert server.headers[0]["authorization"] == "Bearer t-1"


@pytest.mark.parametrize("status", [400, 401, 500, 503])
@pytest.mark.parametrize("fail", ["", "closed"])
def test_other_answer_than_200_lets_the_agent_go_on(status: int, fail: str) -> None:
    with serving(Server(status=status, answer=b"why")) as server:
        done = hook(EVENT, server.address, AGENTDB_HOOK_FAIL=fail)
        after = hook(
            {**EVENT, "hook_event_name": "PostToolUse"},
            server.address,
            AGENTDB_HOOK_FAIL=fail,
        )
    assert done.returncode == (2 if fail else 1)
    assert after.returncode == 1
    assert done.stdout == ""
    assert f" {status} " in done.stderr
    assert "why" in done.stderr


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:9", "does not answer"),
        ("unix:/nowhere/at/all", "does not answer"),
        ("https://127.0.0.1:1", "give http://127.0.0.1:PORT or unix:/PATH"),
        ("nonsense", "give http://127.0.0.1:PORT or unix:/PATH"),
    ],
)
def test_nobody_there_is_said(address: str, said: str) -> None:
    done = hook(EVENT, address)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "{}", "[" * 100_000, "\x00"])
def test_what_is_no_event_is_said(text: str) -> None:
    done = hook(text, "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "standard input has no event of a hook" in done.stderr


@pytest.mark.parametrize("name", ["PostToolBatch", "Stop", "SessionEnd", "AfterTool"])
def test_transcript_goes_along_until_it_was_taken(tmp_path: Path, name: str) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    path = str(DATA / "claude-code.jsonl")
    event = {"hook_event_name": name, "session_id": "s", "transcript_path": path}
    with serving(Server(status=503)) as server:
        assert hook(event, server.address, **cache).returncode == 1
        server.status = 200
        assert hook(event, server.address, **cache).returncode == 0
        assert hook(event, server.address, **cache).returncode == 0
    sent = [body["agentdb_transcript"] for body in server.bodies]
    assert len(sent[0]) > 10
    assert sent[1] == sent[0]
    assert sent[2] == []


def line(number: int, kind: str, content: object, **message: object) -> str:
    """Return a line of a transcript of Claude Code."""
    said = {"id": f"msg_{number:020}", "content": content, **message}
    return json.dumps({"sessionId": "s", "type": kind, "message": said}) + "\n"


def answered(number: int, *blocks: object) -> str:
    used = {"input_tokens": 1, "output_tokens": 1}
    return line(number, "assistant", list(blocks), usage=used)


def billed(path: Path, home: Path, times: int) -> set[str]:
    """Return the answers whose tokens are told by so many hooks."""
    event = {"hook_event_name": "Stop", "session_id": "s", "transcript_path": str(path)}
    with serving(Server()) as server:
        for _ in range(times):
            done = hook(event, server.address, XDG_CACHE_HOME=str(home))
            assert (done.returncode, done.stderr) == (0, "")
    assert max(len(json.dumps(each)) for each in server.bodies) <= 16 << 20
    told = [each for body in server.bodies for each in body["agentdb_transcript"]]
    return {each["ids"][0] for each in told if each["kind"] == "tokens"}


def test_call_that_never_ends_hides_nothing(tmp_path: Path) -> None:
    lost = {"type": "tool_use", "id": "lost", "name": "Bash", "input": {}}
    with (path := tmp_path / "t.jsonl").open("w") as file:
        file.write(line(0, "user", "go") + answered(1, lost))
        for number in range(2, 2000):
            file.write(line(number, "user", "x" * 1500) + answered(number))
    assert len(billed(path, tmp_path, 4)) == 1999


@pytest.mark.parametrize("where", ["result", "args"])
def test_line_that_is_too_long_hides_nothing(tmp_path: Path, where: str) -> None:
    long = "x" * (17 << 20)
    made = {"command": long if where == "args" else "ls"}
    call = {"type": "tool_use", "id": "c", "name": "Bash", "input": made}
    said = long if where == "result" else "x"
    end = {"type": "tool_result", "tool_use_id": "c", "content": said}
    path = tmp_path / "t.jsonl"
    path.write_text(
        line(0, "user", "go") + answered(1, call) + line(2, "user", [end]) + answered(3)
    )
    assert "msg_00000000000000000003" in billed(path, tmp_path, 3)


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/dev/null",
        "",
        None,
        5,
        "/root",
        "/proc/self/mem",
        "/dev/zero",
        "pipe",
    ],
)
def test_transcript_that_cannot_be_read_is_none(tmp_path: Path, path: object) -> None:
    if path == "pipe":
        os.mkfifo(path := str(tmp_path / "pipe"))
    event = {"hook_event_name": "Stop", "session_id": "s", "transcript_path": path}
    with serving(Server()) as server:
        done = hook(event, server.address, XDG_CACHE_HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "agentdb_transcript" not in server.bodies[0] or (
        server.bodies[0]["agentdb_transcript"] == []
    )


def test_it_imports_nothing_heavy() -> None:
    code = (
        "import sys, agentdb.hook.command; print(*sys.modules);"
        "import agentdb.hook.tail; print(*sys.modules)"
    )
    command = [sys.executable, "-S", "-c", code]
    root = str(Path(__file__).parent.parent)
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    first, reading = done.stdout.splitlines()
    assert HEAVY.isdisjoint(reading.split())
    assert (HEAVY | {"typing", "hashlib"}).isdisjoint(first.split())
