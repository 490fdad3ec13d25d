"""What goes wrong around a runner, and what it makes of it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psycopg

from agentdb.local import LocalServer

from .conftest import install_on
from .relay import Relay
from .scene import Process, Scene, until
from .sink import Sink


def test_runner_killed_before_its_mark_repeats_with_the_same_key(scene: Scene) -> None:
    scene.receiver("hang")
    scene.trouble()
    runner = scene.start("one")
    scene.sink.wait()
    runner.signal(signal.SIGKILL)
    runner.wait()
    scene.sink.released.set()
    scene.make_due()
    scene.start("two")
    requests = scene.sink.wait(2)
    until(lambda: scene.notifications() == [("sent", 2, 200)])
    assert [request.headers["Agentdb-Attempt"] for request in requests] == ["1", "2"]
    assert list(scene.sink.keys().values()) == [2]


def test_lost_sessions_lose_and_repeat_nothing(scene: Scene) -> None:
    scene.receiver("hang")
    scene.trouble(5)
    runner = scene.start()
    scene.sink.wait(5)
    scene.db.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and usename = 'operator_o'"
    )
    scene.sink.released.set()
    until(lambda: scene.states() == {"sent": 5})
    scene.trouble(5, "later")
    until(lambda: scene.states() == {"sent": 10})
    assert runner.stop() == 0
    assert set(scene.sink.keys().values()) == {1}


def test_restarted_server_loses_and_repeats_nothing(
    sink: Sink, home: Path, tmp_path: Path
) -> None:
    with LocalServer(directory=home, fast=True) as server:
        dsn = install_on(server)
        with psycopg.connect(server.dsn(database="agentdb"), autocommit=True) as db:
            scene = Scene(db, dsn, sink, tmp_path)
            scene.receiver("hang")
            scene.trouble(5)
            runner = scene.start()
            sink.wait(5)
    with scene.open():
        until(lambda: runner.logged("database trouble"))
        sink.released.set()
        with (
            LocalServer(directory=home, fast=True) as server,
            psycopg.connect(
                server.dsn(database="agentdb"), autocommit=True
            ) as scene.db,
        ):
            until(lambda: scene.states() == {"sent": 5})
            assert runner.stop() == 0
    assert set(sink.keys().values()) == {1}


BROKEN = {
    "errs": (
        "select 1 / (random() * 0)::integer as value, '{}'::jsonb as labels",
        "22012",
    ),
    "hangs": ("select '{}'::jsonb as labels, pg_sleep(60)::text as value", "57014"),
    "no_labels": ("select 1 as value", "42703"),
    "null_labels": ("select null::jsonb as labels, 1 as value", "ZA004"),
    "odd_labels": ("select '[]'::jsonb as labels, 1 as value", "ZA004"),
    "odd_value": ("select '{}'::jsonb as labels, 'abc'::text as value", "22P02"),
    "vast_value": ("select '{}'::jsonb as labels, 1e400::numeric as value", "22003"),
    "writes": ("select '{}'::jsonb as labels, public.write() as value", "25006"),
    "leaves": (
        "select '{}'::jsonb as labels,"
        " pg_terminate_backend(pg_backend_pid())::text as value",
        "57P01",
    ),
}


def test_broken_rule_fails_alone_and_is_recorded(scene: Scene) -> None:
    scene.receiver()
    scene.db.execute("create table public.written (at timestamptz)")
    scene.db.execute("grant insert on public.written to agentdb_operator")
    scene.db.execute(
        "create function public.write() returns integer volatile language plpgsql as"
        " 'begin insert into public.written values (now()); return 1; end'"
    )
    for name, (query, _) in BROKEN.items():
        _view(scene, name, query)
    scene.rule("dropped", "public.no_such_view")
    runner = scene.start()
    until(lambda: {name for name, _ in _errors(scene)} == {*BROKEN, "dropped"})
    scene.trouble()
    [request] = scene.sink.wait()
    assert request.payload["rule"] == "trouble"
    assert runner.stop() == 0
    recorded = {name: error.split(":")[0] for name, error in _errors(scene)}
    expected = {name: sqlstate for name, (_, sqlstate) in BROKEN.items()}
    assert recorded == {**expected, "dropped": "42P01"}
    assert scene.value("select count(*) from public.written") == 0


def _view(scene: Scene, name: str, query: str) -> None:
    view = f"create view public.{name} as select *, null::jsonb as annotations"
    scene.db.execute(f"{view} from ({query}) as q".encode())
    scene.db.execute(f"grant select on public.{name} to agentdb_operator".encode())
    scene.rule(name, f"public.{name}")


def _errors(scene: Scene) -> list[tuple[str, str]]:
    """Return the rules that failed and why."""
    return scene.db.execute(
        "select rule_name, error from agentdb.alert_rule where error is not null"
    ).fetchall()


def test_rule_that_answers_too_much_is_truncated(scene: Scene) -> None:
    scene.db.execute("update agentdb.alert_rule set max_alerts = 3")
    scene.trouble(10)
    scene.start()
    until(lambda: scene.value("select bool_or(truncated) from agentdb.alert_rule"))
    assert scene.value("select count(*) from agentdb.alert") == 3


def test_hung_receiver_delays_no_other(scene: Scene) -> None:
    scene.receiver("hang")
    scene.receiver("ok")
    runner = scene.start(deadline=60, lease=120, slots=4)
    scene.trouble(40)
    scene.sink.wait(40, "ok")
    assert not scene.sink.released.is_set()
    assert len(scene.sink.received("hang")) <= 4
    scene.sink.released.set()
    scene.sink.wait(40, "hang")
    assert runner.stop() == 0
    assert scene.states() == {"sent": 80}


def test_mark_of_a_lost_lease_changes_nothing(scene: Scene) -> None:
    scene.receiver("hang")
    scene.trouble()
    runner = scene.start()
    scene.sink.wait()
    scene.db.execute("update agentdb.notification set attempt = attempt + 1")
    scene.sink.released.set()
    assert runner.stop() == 0
    assert scene.notifications() == [("queued", 2, None)]
    assert runner.logged("outcome came too late: somebody else delivers now")


def test_pooler_costs_the_runner_only_its_ears(scene: Scene) -> None:
    with _relay(scene, pooler=True).relaying() as relay:
        scene.dsn = relay.dsn(scene.db.info.dbname, "operator_o")
        scene.receiver()
        scene.trouble(20)
        runner = scene.start()
        scene.sink.wait(20)
        until(lambda: runner.logged("no LISTEN through a pooler: polling instead"))
        until(lambda: len(scene.beats()) == 4)
        assert runner.stop() == 0
    assert scene.states() == {"sent": 20}


def test_network_that_falls_silent_is_noticed_by_every_loop(scene: Scene) -> None:
    with _relay(scene).relaying() as relay:
        scene.dsn = relay.dsn(scene.db.info.dbname, "operator_o")
        scene.receiver()
        runner = scene.start()
        until(lambda: len(scene.beats()) == 4)
        relay.flowing.clear()
        until(lambda: len(_silenced(runner)) == 4)
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
