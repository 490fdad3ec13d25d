"""What strangers send to the page: refused in words, and never a fault of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from .agents import register, start, value
from .changes import latest
from .page import FORM, Browser, log_in, paging

if TYPE_CHECKING:
    from .conftest import Connect, Connection
    from .servers import Server

DIGITS = "9" * 5000


@pytest.fixture
def page(server: Server, db: Connection) -> Iterator[str]:
    register(db)
    with paging(server, db) as url:
        yield url


def status(url: str, method: str, path: str, *headers: str, body: str = "") -> int:
    """Return how a request is answered that no library would send."""
    place = urlsplit(url)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {place.netloc}", "Connection: close"]
    sent = "\r\n".join([*lines, *headers, "", body]).encode("latin-1")
    with socket.create_connection((place.hostname, place.port or 80), 30) as stream:
        stream.sendall(sent)
        with stream.makefile("rb") as answer:
            return int(answer.readline().split()[1])


@pytest.mark.parametrize(
    "method, path, header, wanted",
    [
        ("GET", "/login", "Cookie: zone=Nowhere/City", 200),
        ("GET", "/login", "Cookie: zone=%C3%A9", 200),
        ("GET", "/login", "Cookie: zone=a%00b", 200),
        ("GET", "/login", "Origin: http://[", 421),
        ("GET", "/login", "Origin: http://[x]/", 421),
        ("POST", "/login/link", "Referer: http://[", 403),
        ("POST", "/login/link", "Referer: http://[x]/", 403),
        ("POST", f"/alert/{DIGITS}/resolve", "Accept: */*", 414),
        ("GET", f"/alert/{DIGITS}/resolve", "Accept: */*", 414),
        ("GET", "/login", "Cookie: agentdb-guest=\xe9; agentdb=\xe9", 200),
    ],
)
def test_what_is_no_address_number_or_zone_is_no_fault(
    page: str, method: str, path: str, header: str, wanted: int
) -> None:
    assert status(page, method, path, header, "Content-Length: 0") == wanted


def test_a_zone_that_is_none_is_not_kept(page: str) -> None:
    browser = Browser(page)
    csrf = browser.csrf("/login/link")
    assert browser.post("/zone", {"zone": "Nowhere/City"}, csrf=csrf).status_code == 400


def test_a_form_that_does_not_come_is_not_waited_for(page: str) -> None:
    kept = (f"Origin: {page}", f"Content-Type: {FORM}", "Content-Length: 100")
    assert status(page, "POST", "/login/link", *kept, body="csrf=") == 408
    # And of who is not logged in it is short.
    long = (f"Origin: {page}", f"Content-Type: {FORM}", "Content-Length: 30000")
    assert status(page, "POST", "/login/link", *long, body="a" * 20000) == 413


def test_what_the_database_takes_for_none_is_no_fault(
    page: str, db: Connection, connect: Connect
) -> None:
    ann = log_in(page, db, connect, "operator_o")
    ann.post(f"/alert/{'9' * 30}/resolve", {"reason": "x"})
    assert "out of range" in ann.said()
    ann.post("/agent/%00/pause", {"reason": "x"})
    assert "NUL" in ann.said()


def test_a_server_that_lost_its_rights_says_so(
    page: str, db: Connection, connect: Connect
) -> None:
    ann = log_in(page, db, connect, "operator_o")
    db.execute("revoke agentdb_web from serve_s")
    try:
        shown = ann.get("/")
        assert shown.status_code == 403 and "grant agentdb_web" in shown.text
    finally:
        db.execute("grant agentdb_web to serve_s")


def test_a_person_who_is_locked_out_is_out(
    page: str, db: Connection, connect: Connect
) -> None:
    db.execute("create role eve_o login in role agentdb_operator")
    try:
        eve = log_in(page, db, connect, "eve_o")
        db.execute("alter role eve_o nologin")
        eve.post("/agent/a/pause", {"reason": "x"})
        assert value(db, "select count(*) from agentdb.agent_stop") == 0
    finally:
        db.execute("drop owned by eve_o")
        db.execute("drop role eve_o")


def test_a_restart_of_the_database_costs_nobody_a_page(
    page: str, db: Connection, connect: Connect
) -> None:
    ann = log_in(page, db, connect, "operator_o")
    for _ in range(3):
        db.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where usename = 'serve_s'"
        )
        ann.post("/agent/a/pause", {"reason": "x"})
        assert ann.said().startswith("agent a is paused")


def test_who_may_not_look_any_more_is_out(
    page: str, db: Connection, connect: Connect
) -> None:
    db.execute("create role eve_o login in role agentdb_operator")
    try:
        eve = log_in(page, db, connect, "eve_o")
        db.execute("revoke agentdb_operator from eve_o")
        assert eve.get("/").status_code == 303
    finally:
        db.execute("drop owned by eve_o")
        db.execute("drop role eve_o")


def test_rows_that_are_left_out_are_named_exactly(
    page: str, db: Connection, connect: Connect
) -> None:
    keys = ("12345678901234567890.5", "12345678901234567890.7")
    db.execute("create table public.big (id numeric primary key)")
    db.execute("grant select, insert on public.big to agent_a")
    db.execute("select agentdb.guard_table('public.big')")
    agent = connect(db.info.dbname, "agent_a")
    run = start(agent)
    rev = log_in(page, db, connect, "reviewer_r")
    for key in keys:
        agent.execute(f"insert into agentdb_stage.big values ({key})".encode())
        change = latest(db)
        path = f"/change/{change['change_id']}/approve"
        rev.post(path, {"digest": change["digest"]})
    kept = f'{{"table": "public.big", "key": {{"id": {keys[0]}}}}}'
    shown = rev.post(f"/run/{run}/undo", {"reason": "x", "keep": kept})
    assert shown.status_code == 200 and ">1 row</span>" in shown.text
    back, _, left = shown.text.partition("<h2>Left out</h2>")
    assert keys[1] in back and keys[0] not in back and keys[0] in left
