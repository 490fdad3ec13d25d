"""Commands that keep an installation: maintain, seals, up; and the runner's patience."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator

import asyncpg
import pytest
from psycopg.conninfo import conninfo_to_dict

from agentdb import up
from agentdb.local import LocalServer

from .agents import value
from .commands import run
from .conftest import Connection, MakeDatabase
from .processes import interruptible
from .servers import Server, answer, tell

Patch = pytest.MonkeyPatch


@pytest.fixture
def operator(db: Connection, server: Server) -> str:
    return server.dsn(database=db.info.dbname, user="operator_o")


def test_maintain_prints_what_it_did(
    db: Connection, operator: str, monkeypatch: Patch
) -> None:
    said = run(monkeypatch, ["maintain", "--days-ahead", "5"], operator)
    assert said.code == 0
    logs = value(db, "select count(distinct log_name) from agentdb.log_partition")
    assert said.out.count("added audit_log_p") == 6
    assert said.out.count("added ") == 6 * logs
    again = run(monkeypatch, ["maintain", "--days-ahead", "5"], operator)
    assert (again.code, again.out) == (0, "there was nothing to do\n")


def test_seals_say_which_of_them_is_broken(
    db: Connection, operator: str, monkeypatch: Patch
) -> None:
    db.execute(
        "create table t (id int primary key); select agentdb.audit_table('t');"
        "insert into t values (1), (2)"
    )
    root = value(db, "select root from agentdb.seal_audit()")
    for words in (["seals"], ["seals", "--root", root], ["seals", "--json"]):
        assert run(monkeypatch, words, operator).code == 0
    other = run(monkeypatch, ["seals", "--root", "f00d"], operator)
    assert other.code == 1 and "chain was rewritten" in other.err
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute("update agentdb.audit_log set run_id = 7")
    said = run(monkeypatch, ["seals"], operator)
    assert said.code == 1
    assert "Error: seal 1 does not hold: at least one of 2 rows was changed" in said.err
    assert "docs/audit.md" in said.hint


@pytest.fixture
def given() -> Iterator[LocalServer]:
    """A server of somebody's, on which nobody else makes roles."""
    with LocalServer(fast=True) as server:
        yield server


ROLES = "select count(*) from pg_roles where rolname in ('agent_1', 'reviewer_1')"


def test_up_names_the_roles_and_the_database_before_it_makes_them(
    given: LocalServer, monkeypatch: Patch
) -> None:
    said = run(monkeypatch, ["up"], given.dsn())
    assert said.code == 2
    assert "login roles agent_1 and reviewer_1" in said.err
    assert "dbname=postgres" in said.err and "add --yes" in said.err
    assert answer(given.dsn(), ROLES) == 0
    assert answer(given.dsn(), "select to_regnamespace('agentdb')") is None
    tell(given.dsn(), "create role agent_1 login")
    assert "login roles reviewer_1 on" in run(monkeypatch, ["up"], given.dsn()).err


async def asked(dsn: str) -> str:
    """Ask by a driver that takes nothing but a URL."""
    connection = await asyncpg.connect(dsn)
    try:
        return str(await connection.fetchval("select current_user"))
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "dsn",
    [
        "host=/tmp/a dbname=x user=u port=5432",
        "host=/tmp/a,/tmp/b port=5433,5434 user='o \\'x' dbname='a/b?' password='p@:/&'",
        "host=::1 port=5433 user=u sslmode=require options='-c a=b'",
        "host=db.example port=5433 dbname=app",
        "",
    ],
)
def test_connection_string_is_a_url_that_says_the_same(dsn: str) -> None:
    parts = {name: str(part) for name, part in conninfo_to_dict(dsn).items()}
    (url,) = shlex.split(up.url_of(parts))
    assert url.startswith("postgresql://")
    assert {"port": "5432", **conninfo_to_dict(url)} == {"port": "5432", **parts}


def test_up_does_it_when_told_to_and_asks_no_more(given: LocalServer) -> None:
    for words in (["up", "--yes"], ["up"]):
        process = begin(words, given.dsn())
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(3)]
        assert [line.split()[0] for line in lines] == ["agent", "reviewer", "dba"]
        agent, _, dba = (line.split()[1] for line in lines)
        for at, user in (agent, "agent_1"), (dba, "postgres"):
            assert answer(at, "select current_user") == user
            assert asyncio.run(asked(at)) == user
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
        assert answer(given.dsn(), ROLES) == 2
    assert up.new_logins(given.dsn()) == []


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere", "refused"),
        ("blank", "run agentdb install"),
        ("no right", "must be a member of agentdb_operator"),
        ("read-only", "read-only"),
    ],
)
def test_runner_says_what_keeps_it_and_ends_in_order(
    place: str,
    said: str,
    db: Connection,
    server: Server,
    make_database: MakeDatabase,
) -> None:
    """It goes on trying: what is wrong may be put right while it runs."""
    db.execute(
        f"alter role reviewer_r in database {db.info.dbname} "
        "set default_transaction_read_only = on".encode()
    )
    db.execute("grant agentdb_operator to reviewer_r" if place == "read-only" else "")
    dsn = {
        "nowhere": "postgresql://x@127.0.0.1:1/x",
        "blank": server.dsn(database=make_database()),
        "no right": server.dsn(database=db.info.dbname, user="app_user"),
        "read-only": server.dsn(database=db.info.dbname, user="reviewer_r"),
    }[place]
    process = begin(["run"], dsn)
    assert process.stderr
    try:
        lines = [process.stderr.readline()]
        while said not in lines[-1]:
            assert lines[-1], "".join(lines)
            lines.append(process.stderr.readline())
    finally:
        if place == "read-only":
            db.execute("revoke agentdb_operator from reviewer_r")
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in "".join(lines) + rest


def begin(words: list[str], dsn: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "agentdb", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "AGENTDB_DSN": dsn},
        preexec_fn=interruptible,
    )


def test_server_that_is_not_there_is_named_in_one_line(monkeypatch: Patch) -> None:
    said = run(monkeypatch, ["runs"], "host=127.0.0.1,127.0.0.2 port=1 user=x dbname=x")
    assert said.code == 1
    first, hint = said.err.splitlines()
    assert "127.0.0.2" in first
    assert hint.startswith("hint: ")
