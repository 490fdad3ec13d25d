"""Waiting for a lock, told or asking; and locks behind a pooler."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict

from agentdb.cli import main
from agentdb.client.lock import release_lock, wait_for_lock

from .agents import age, refusal, register, row, rows, start, value
from .conftest import Connect, Connection
from .servers import Server
from .test_lock import acquire, call, release, renew


@pytest.fixture
def a(db: Connection, connect: Connect) -> Connection:
    """The session of agent a with one open run."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


@pytest.fixture
def b(db: Connection, connect: Connect) -> Connection:
    """The session of agent b with one open run."""
    register(db, "b", "agent_b")
    session = connect(db.info.dbname, "agent_b")
    start(session)
    return session


def until_waiting(db: Connection) -> None:
    end = time.monotonic() + 30
    while not rows(db, "select * from agentdb.lock_waiter"):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_free_lock_is_not_waited_for(db: Connection, a: Connection) -> None:
    assert wait_for_lock(a, "l").outcome == "acquired"
    assert rows(db, "select * from agentdb.lock_waiter") == []


@pytest.mark.parametrize("pooled", [False, True])
def test_waiter_gets_the_lock_when_it_is_released(
    db: Connection,
    a: Connection,
    b: Connection,
    pooled: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "agentdb.client.lock._can_listen", lambda connection: not pooled
    )
    mine = wait_for_lock(a, "l")
    assert mine.fence is not None
    got = []
    thread = threading.Thread(target=lambda: got.append(wait_for_lock(b, "l")))
    thread.start()
    until_waiting(db)
    assert value(db, "select waiting from agentdb.lock_status") == 1
    assert release_lock(a, "l", mine.fence)
    thread.join(30)
    assert got[0].outcome == "acquired"
    assert (got[0].fence or 0) > mine.fence
    assert rows(db, "select * from agentdb.lock_waiter") == []


def test_waiter_gets_an_expiring_lock(a: Connection, b: Connection) -> None:
    acquire(a, ttl="300 ms")
    assert wait_for_lock(b, "l", timeout=30).outcome == "taken_over"


def test_wait_ends_with_a_refusal(db: Connection, a: Connection, b: Connection) -> None:
    acquire(a)
    found = wait_for_lock(b, "l", timeout=0.2)
    assert (found.acquired, found.outcome) == (False, "held")
    assert found.holder and found.holder.endswith("of a")
    assert rows(db, "select * from agentdb.lock_waiter") == []
    assert wait_for_lock(b, "l", timeout=0).outcome == "held"


def test_wait_needs_autocommit(b: Connection) -> None:
    b.autocommit = False
    with pytest.raises(ValueError, match="autocommit"):
        wait_for_lock(b, "l")


def test_nobody_is_woken_where_nobody_waits(a: Connection) -> None:
    mine = acquire(a)
    assert release(a, mine["fence"])["waiting"] == 0
    assert row(a, "select * from agentdb.wake_waiters('l')") == {"woken": 0}


def test_holder_is_told_of_those_who_waited_before_it_came(
    db: Connection, a: Connection, b: Connection
) -> None:
    b.execute("select agentdb.begin_wait('l')")
    mine = acquire(a)
    assert release(a, mine["fence"])["waiting"] == 1
    b.execute("select agentdb.end_wait('l')")
    mine = acquire(a)
    assert release(a, mine["fence"])["waiting"] == 0


@pytest.fixture
def pooler(db: Connection, server: Server, place: Path, a: Connection) -> Iterator[str]:
    """The DSN of a PgBouncer in transaction mode, with one server session."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no pgbouncer on this machine")
    parts = conninfo_to_dict(server.dsn(database=db.info.dbname, user="agent_a"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    users, config = place / "users.txt", place / "pgbouncer.ini"
    users.write_text('"agent_a" ""\n')
    config.write_text(
        f"[databases]\n* = host={parts['host']} port={parts['port']}\n"
        "[pgbouncer]\npool_mode = transaction\ndefault_pool_size = 2\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {users}\n"
    )
    command = [program, str(config)]
    # Who may open the socket, and never root: PgBouncer refuses to run as root.
    place_of_server = Path(str(parts["host"]))
    owner = place_of_server.stat().st_uid if place_of_server.is_dir() else 0
    process = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, user=owner if owner else "nobody"
    )
    dsn = f"host=127.0.0.1 port={port} user=agent_a dbname={db.info.dbname}"
    end = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=2).close()
            break
        except psycopg.OperationalError:
            if time.monotonic() > end:
                process.kill()
                process.wait()
                raise
            time.sleep(0.05)
    yield dsn
    process.terminate()
    process.wait()


def test_locks_work_behind_pgbouncer(
    db: Connection, pooler: str, b: Connection
) -> None:
    def connect() -> Connection:
        return psycopg.connect(pooler, autocommit=True, prepare_threshold=None)

    with connect() as one, connect() as two:
        mine = acquire(one)
        assert mine["outcome"] == "acquired"
        assert acquire(two)["outcome"] == "held"
        assert acquire(two, fence=mine["fence"])["outcome"] == "reentered"
        assert renew(two, mine["fence"])["renewed"]
        assert acquire(b)["outcome"] == "held"
        release(one, mine["fence"])
        assert release(two, mine["fence"])["released"]
        slot = call(one, "acquire_slot", name="s", slots=1)
        assert slot["slot"] == 1
        theirs = acquire(b, ttl="400 ms")
        assert theirs["fence"] > mine["fence"]
        got = wait_for_lock(one, "l", timeout=30)
        assert got.outcome == "taken_over"
        assert one.info.backend_pid != value(one, "select pg_backend_pid()")
        db.execute("create table public.report (x int)")
        db.execute("grant all on public.report to agent_a")
        db.execute("select agentdb.fence_table('public.report', 'l')")
        two.execute("insert into public.report values (1)")


def test_command_line_lists_and_releases(
    db: Connection, server: Server, a: Connection
) -> None:
    acquire(a)
    dsn = server.dsn(database=db.info.dbname, user="operator_o")
    listed = CliRunner().invoke(main, ["locks", "--dsn", dsn])
    assert listed.exit_code == 0, listed.output
    assert "held" in listed.output
    command = ["lock", "release", "l", "--reason", "hangs", "--dsn", dsn]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert "Take lock l from run 1 of a?" in refused.output
    assert "--yes" in refused.output
    missing = CliRunner().invoke(main, [*command[:2], "no", *command[3:]])
    assert missing.exit_code == 1
    assert "there is no lock no" in missing.output
    done = CliRunner().invoke(main, [*command, "--yes"])
    assert done.exit_code == 0, done.output
    assert "lock l is free" in done.output
    assert value(db, "select reason from agentdb.lock_log") == "hangs"
    listed = CliRunner().invoke(main, ["locks", "--dsn", dsn])
    assert "none is held" in listed.output


def test_waits_are_capped_and_those_that_died_make_room(
    db: Connection, a: Connection
) -> None:
    begin = "select agentdb.begin_wait('l' || i) from generate_series({}) as i"
    a.execute(begin.format("1, 1000").encode())
    refused = refusal(a, begin.format("1001, 1001"))
    assert refused.sqlstate == "ZA005"
    a.execute((refused.message_hint or "").encode())
    a.execute(begin.format("1001, 1001").encode())
    age(db, "lock_waiter", "until_at", "2 minutes")
    a.execute(begin.format("1002, 1002").encode())
    assert value(db, "select count(*) from agentdb.lock_waiter") == 1
