"""Server, database and emitter are killed in turn: what was accepted is there.

Accepted is what an emitter was told so; what it was not told of it sends again, as
exporters of OpenTelemetry do after 503 and after a broken connection.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from agentdb.local import LocalServer
from agentdb.schema import install as installation

from .conftest import Connection
from .processes import linux
from .serving import Serving, called, serving, traces

PATIENCE = 60.0


@pytest.fixture
def durable() -> Iterator[LocalServer]:
    """A server that keeps what it committed when it is killed."""
    with LocalServer() as server:
        installation.install(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("create role intake_i login in role agentdb_intake")
        yield server


@pytest.fixture
def admin(durable: LocalServer) -> Iterator[Connection]:
    with psycopg.connect(durable.dsn(), autocommit=True) as admin:
        yield admin


def recorded(server: LocalServer) -> list[str]:
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        found = admin.execute("select call_id from agentdb.tool_call_log").fetchall()
    return [each[0] for each in found]


class Emitter(threading.Thread):
    """Sends calls one after the other, each until it is accepted; and remembers it."""

    def __init__(self, url: str, token: str, name: int) -> None:
        super().__init__()
        self.url, self.token, self.number = url, token, name
        self.accepted: list[str] = []
        self.statuses: set[int] = set()
        self.ended = threading.Event()

    def run(self) -> None:
        for place in range(1_000_000):
            if self.ended.is_set():
                return
            self.send(traces(called(place, trace=self.number)))
            if self.ended.is_set():
                return
            self.accepted.append(f"c{self.number}-{place}")

    def send(self, body: Any) -> None:
        """Send a request until it is accepted, or nobody waits for it."""
        while not self.ended.is_set():
            try:
                answer = httpx.post(
                    f"{self.url}/v1/traces",
                    json=body,
                    headers={"authorization": f"Bearer {self.token}"},
                    timeout=PATIENCE,
                )
            except httpx.TransportError:
                continue
            self.statuses.add(answer.status_code)
            if answer.status_code == 200:
                assert answer.json() == {}
                return

    def wait_for(self, more: int) -> None:
        """Wait until so many more were accepted."""
        goal = len(self.accepted) + more
        while len(self.accepted) < goal:
            assert self.is_alive()


def ended(emitters: list[Emitter]) -> set[str]:
    """Stop the emitters, and return what they were told is accepted."""
    for each in emitters:
        each.ended.set()
    for each in emitters:
        each.join(PATIENCE)
    return {call for each in emitters for call in each.accepted}


def port(serve: Serving) -> str:
    return serve.url.rpartition(":")[2]


@linux
def test_server_is_killed(durable: LocalServer, admin: Connection) -> None:
    with serving(durable, admin) as first:
        emitters = [Emitter(first.url, first.token, each) for each in (1, 2, 3)]
        for each in emitters:
            each.start()
        emitters[0].wait_for(5)
        first.kill()
        with serving(durable, admin, listen=f"127.0.0.1:{port(first)}"):
            for each in emitters:
                each.wait_for(5)
            accepted = ended(emitters)
    found = recorded(durable)
    assert accepted <= set(found)
    assert len(found) == len(set(found))


@linux
def test_database_is_killed(durable: LocalServer, admin: Connection) -> None:
    """Clients are told 503 meanwhile, and nothing else."""
    with serving(durable, admin) as serve:
        emitters = [Emitter(serve.url, serve.token, each) for each in (1, 2, 3)]
        for each in emitters:
            each.start()
        emitters[0].wait_for(5)
        crash(durable)
        for each in emitters:
            each.wait_for(5)
        accepted = ended(emitters)
        statuses = set.union(*(each.statuses for each in emitters))
    assert statuses <= {200, 503}
    found = recorded(durable)
    assert accepted <= set(found)
    assert len(found) == len(set(found))


def crash(server: LocalServer) -> None:
    """Kill a backend as the out-of-memory killer does: all sessions are lost."""
    with psycopg.connect(server.dsn(), autocommit=True) as one:
        row = one.execute("select pg_backend_pid()").fetchone()
        assert row is not None
        os.kill(row[0], signal.SIGKILL)


@linux
def test_database_is_away(durable: LocalServer, admin: Connection) -> None:
    """Stopped, it takes nothing; the server says so at once, and goes on with it."""
    with serving(durable, admin) as serve:
        assert serve.send(traces(called(1))).status_code == 200
        admin.execute("alter role intake_i nologin")
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'intake_i'"
        )
        # Nothing was sent since.
        time.sleep(2.1)
        assert httpx.get(f"{serve.url}/healthz").status_code == 503
        answers = [serve.send(traces(called(2))) for _ in range(3)]
        assert [each.status_code for each in answers[1:]] == [503, 503]
        assert all(int(each.headers["retry-after"]) > 0 for each in answers[1:])
        assert httpx.get(f"{serve.url}/healthz").status_code == 503
        admin.execute("alter role intake_i login")
        while serve.send(traces(called(3))).status_code == 503:
            pass
        assert httpx.get(f"{serve.url}/healthz").status_code == 200
    assert {"c1-1", "c1-3"} <= set(recorded(durable))


@linux
def test_started_before_the_database(durable: LocalServer, admin: Connection) -> None:
    admin.execute("select agentdb.register_intake_agent('coder')")
    admin.execute("alter role intake_i nologin")
    with serving(durable, admin) as serve:
        assert serve.send(traces(called(1))).status_code == 503
        admin.execute("alter role intake_i login")
        while serve.send(traces(called(1))).status_code == 503:
            pass
    assert recorded(durable) == ["c1-1"]


EMITTER = """
import json, sys, httpx
from tests.serving import called, traces
url, token = sys.argv[1:]
for place in range(100000):
    answer = httpx.post(url + "/v1/traces", json=traces(called(place)),
        headers={"authorization": "Bearer " + token})
    if answer.status_code == 200:
        print(f"c1-{place}", flush=True)
"""


@linux
def test_emitter_is_killed(durable: LocalServer, admin: Connection) -> None:
    """What it said before is there, and others go on."""
    with serving(durable, admin) as serve:
        with subprocess.Popen(
            [sys.executable, "-c", EMITTER, serve.url, serve.token],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        ) as emitter:
            assert emitter.stdout is not None
            accepted = [emitter.stdout.readline().strip() for _ in range(10)]
            emitter.kill()
            accepted += emitter.stdout.read().split()
        assert serve.send(traces(called(1, trace=2))).json() == {}
    found = recorded(durable)
    assert {*accepted, "c2-1"} <= set(found)
    assert len(found) == len(set(found))


@linux
def test_killed_in_the_middle_of_a_large_request(
    durable: LocalServer, admin: Connection
) -> None:
    """A part of it is committed; sent again, all of it is there once."""
    body = traces(*(called(each) for each in range(3000)))
    with serving(durable, admin) as first:
        sender = Emitter(first.url, first.token, 1)
        thread = threading.Thread(target=sender.send, args=[body])
        thread.start()
        while not recorded(durable):
            pass
        first.kill()
        with serving(durable, admin, listen=f"127.0.0.1:{port(first)}"):
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert len(recorded(durable)) == len(set(recorded(durable))) == 3000
