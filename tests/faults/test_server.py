"""The database goes away, falls silent, refuses, or has no room: nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from agentdb.local import LocalServer
from agentdb.schema import code as schema
from agentdb.schema import install as installation

from ..conftest import INSTALLER, Connection, install_on
from ..ports import free_port
from ..processes import linux, postmaster_of
from ..relay import Relay
from ..revision import second_revision
from ..scene import Process, Scene, until
from ..servers import tell
from ..sink import Sink

STOPS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "killed": signal.SIGKILL}


@linux
@pytest.mark.parametrize("how", STOPS)
def test_server_stopped_in_mid_delivery_loses_and_repeats_nothing(
    sink: Sink, home: Path, tmp_path: Path, how: str
) -> None:
    with _server(home) as server:
        dsn = install_on(server)
        db = psycopg.connect(server.dsn(database="agentdb"), autocommit=True)
        scene = Scene(db, dsn, sink, tmp_path)
        scene.receiver("hang")
        scene.trouble(5)
        runner = scene.start()
        sink.wait(5)
        os.kill(postmaster_of(home), STOPS[how])
        until(lambda: runner.logged("database trouble"))
        db.close()
    with scene.open():
        sink.released.set()
        with _server(home) as server, _connection(server) as scene.db:
            until(lambda: scene.states() == {"sent": 5})
            scene.trouble(5, "later")
            until(lambda: scene.states() == {"sent": 10})
            assert runner.stop() == 0
    assert sorted(sink.keys().values()) == [1] * 10


def _server(home: Path) -> LocalServer:
    """Return a server that, once killed, has all that it said it had."""
    return LocalServer(directory=home, fast=True, settings={"synchronous_commit": "on"})


def _connection(server: LocalServer) -> Connection:
    return psycopg.connect(server.dsn(database="agentdb"), autocommit=True)


def test_lost_sessions_lose_and_repeat_nothing(scene: Scene) -> None:
    scene.receiver("hang")
    scene.trouble(5)
    runner = scene.start()
    scene.sink.wait(5)
    _end_sessions(scene)
    scene.sink.released.set()
    until(lambda: scene.states() == {"sent": 5})
    scene.trouble(5, "later")
    until(lambda: scene.states() == {"sent": 10})
    assert runner.stop() == 0
    assert set(scene.sink.keys().values()) == {1}


def _end_sessions(scene: Scene) -> None:
    scene.db.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and usename = 'operator_o'"
    )


def test_database_that_turns_read_only_is_waited_for_in_peace(scene: Scene) -> None:
    name = scene.db.info.dbname
    scene.receiver()
    runner = scene.start()
    until(lambda: len(scene.beats()) == 5)
    change = f'alter database "{name}" set default_transaction_read_only = %s'
    scene.db.execute((change % "on").encode())
    _end_sessions(scene)
    scene.trouble(3)
    until(lambda: "25006" in runner.log.read_text())
    before = len(runner.log.read_text().splitlines())
    time.sleep(1)
    assert len(runner.log.read_text().splitlines()) - before < 20
    scene.db.execute((change % "off").encode())
    _end_sessions(scene)
    scene.sink.wait(3)
    until(lambda: scene.states() == {"sent": 3})
    assert runner.stop() == 0
    assert set(scene.sink.keys().values()) == {1}


def test_timeout_of_the_role_starves_no_loop(scene: Scene) -> None:
    name = scene.db.info.dbname
    setting = f'alter role operator_o in database "{name}" set statement_timeout = '
    scene.db.execute(f"{setting} '1 ms'".encode())
    scene.receiver()
    scene.trouble(3)
    runner = scene.start()
    until(lambda: scene.states() == {"sent": 3})
    assert runner.stop() == 0
    assert not runner.logged("database trouble")


def test_lock_on_the_outbox_is_waited_for_without_a_pile(scene: Scene) -> None:
    scene.receiver()
    runner = scene.start()
    until(lambda: len(scene.beats()) == 5)
    with scene.db.transaction():
        scene.db.execute("lock table agentdb.notification in access exclusive mode")
        scene.trouble()
        until(lambda: "55P03" in runner.log.read_text())
        waiting = "select count(*) from pg_stat_activity where usename = 'operator_o'"
        assert scene.value(f"{waiting} and datname = current_database()") <= 6
    scene.trouble(2, "later")
    until(lambda: scene.states() == {"sent": 3})
    assert runner.stop() == 0
    assert set(scene.sink.keys().values()) == {1}


@pytest.fixture
def small_disk(place: Path) -> Iterator[Path]:
    """A disk of 2 MB, where we may make one."""
    disk = place / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "agentdb-test", str(disk)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("only root can make a disk to fill")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk_is_outlived(
    sink: Sink, tmp_path: Path, small_disk: Path, place: Path
) -> None:
    with LocalServer(fast=True) as server:
        dsn = install_on(server)
        owner = server.directory.stat()
        os.chown(small_disk, owner.st_uid, owner.st_gid)
        tell(
            server.dsn(database="agentdb"),
            f"create tablespace small location '{small_disk}'",
            "alter table agentdb.notification set tablespace small",
            "create table public.filler (x text) tablespace small",
            "alter table public.filler alter x set storage plain",
        )
        with (
            _connection(server) as db,
            Scene(db, dsn, sink, tmp_path).open() as scene,
        ):
            scene.receiver(each=True)
            runner = scene.start()
            until(lambda: len(scene.beats()) == 5)
            with pytest.raises(psycopg.errors.DiskFull):
                while True:
                    db.execute(
                        "insert into public.filler"
                        " select repeat('x', 7000) from generate_series(1, 10)"
                    )
            scene.trouble(300)
            until(lambda: "53100" in runner.log.read_text())
            db.execute("drop table public.filler")
            until(lambda: scene.states() == {"sent": 300}, within=120)
            assert runner.stop() == 0
            assert set(sink.keys().values()) == {1}


def test_runner_goes_on_at_a_database_of_a_later_release(
    sink: Sink, tmp_path: Path
) -> None:
    pack = second_revision(tmp_path)
    with LocalServer(fast=True) as server:
        dsn = install_on(server)
        with (
            _connection(server) as db,
            Scene(db, dsn, sink, tmp_path).open() as scene,
        ):
            scene.receiver()
            scene.trouble()
            port = free_port()
            runner = scene.start_configured(AGENTDB_HEALTH_ADDRESS=f"127.0.0.1:{port}")
            sink.wait()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(schema, "bundled", lambda name: pack / name)
                installation.install(server.dsn(database="agentdb", user=INSTALLER))
            scene.trouble(5, "later")
            until(lambda: scene.states() == {"sent": 6})
            until(lambda: runner.logged("database is of a later release"))
            until(lambda: scene.value("select outdated from agentdb.runner_health"))
            until(lambda: scene.value("select healthy from agentdb.runner_health"))
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                assert b'"later_release": "0002"' in answer.read()
            _rename(scene, "flush", "flush_otherwise")
            scene.trouble(2, "unheard ")
            until(lambda: "of another release: run agentdb" in runner.log.read_text())
            _rename(scene, "flush_otherwise", "flush")
            until(lambda: scene.states() == {"sent": 8})
            assert runner.stop() == 0
    assert runner.log.read_text().count("database is of a later release") == 1
    assert list(sink.keys().values()) == [1] * 8


def _rename(scene: Scene, name: str, to: str) -> None:
    scene.db.execute(f"alter function agentdb.{name} rename to {to}".encode())


def test_pooler_costs_the_runner_only_its_ears(scene: Scene) -> None:
    with _relay(scene, pooler=True).relaying() as relay:
        scene.dsn = relay.dsn(scene.db.info.dbname, "operator_o")
        scene.receiver(each=True)
        scene.trouble(20)
        runner = scene.start()
        scene.sink.wait(20)
        until(lambda: runner.logged("no LISTEN through a pooler: polling instead"))
        until(lambda: len(scene.beats()) == 5)
        assert runner.stop() == 0
    assert scene.states() == {"sent": 20}


def test_network_that_falls_silent_is_noticed_by_every_loop(scene: Scene) -> None:
    with _relay(scene).relaying() as relay:
        scene.dsn = relay.dsn(scene.db.info.dbname, "operator_o")
        scene.receiver()
        runner = scene.start()
        until(lambda: len(scene.beats()) == 5)
        relay.flowing.clear()
        until(lambda: len(_silenced(runner)) == 5)
        relay.flowing.set()
        scene.trouble()
        scene.sink.wait()
        assert runner.stop() == 0
    assert scene.states() == {"sent": 1}


def test_runner_that_cannot_record_a_delivery_says_so(scene: Scene) -> None:
    with _relay(scene).relaying() as relay:
        scene.dsn = relay.dsn(scene.db.info.dbname, "operator_o")
        scene.receiver("hang")
        scene.trouble()
        runner = scene.start(settle=0.5)
        scene.sink.wait()
        relay.flowing.clear()
        scene.sink.released.set()
        assert runner.stop() == 1
    assert runner.logged("outcomes lost: these are sent again")
    assert scene.states() == {"queued": 1}


def _relay(scene: Scene, *, pooler: bool = False) -> Relay:
    return Relay(scene.db.info.host, scene.db.info.port, pooler=pooler)


def _silenced(runner: Process) -> set[str]:
    """Return which loops have noticed that the database does not answer."""
    lines = [json.loads(line) for line in runner.log.read_text().splitlines()]
    return {
        line["loop"]
        for line in lines
        if line["event"] == "database trouble" and "no answer" in line["error"]
    }
