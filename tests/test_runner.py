"""Runners in processes of their own, a real server, a real receiver."""

from __future__ import annotations

import asyncio
import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from agentdb.local import LocalServer
from agentdb.runner import Runner, Settings

from .conftest import (
    INSTALLER,
    Connect,
    Connection,
    create_database,
    create_roles,
    grant_groups,
    install,
)
from .scene import Scene, until
from .servers import Server
from .sink import Sink

CANARY = "canary-91c4"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink().serving() as sink:
        yield sink


@pytest.fixture
def scene(
    server: Server, db: Connection, sink: Sink, tmp_path: Path
) -> Iterator[Scene]:
    dsn = server.dsn(database=db.info.dbname, user="operator_o")
    with Scene(db, dsn, sink, tmp_path).open() as scene:
        yield scene


def test_logged_event_reaches_the_receiver(scene: Scene, connect: Connect) -> None:
    scene.receiver()
    scene.db.execute("select agentdb.register_agent('looper', 'agent_a')")
    scene.db.execute(
        "update agentdb.alert_rule set enabled = true, evaluate_every = '200 ms'"
        " where rule_name = 'repeated_tool_call'"
    )
    runner = scene.start()
    agent = connect(scene.db.info.dbname, "agent_a")
    agent.execute("select * from agentdb.start_run()")
    for _ in range(8):
        agent.execute("select * from agentdb.log_tool_call('search', '{}')")
    [request] = scene.sink.wait()
    assert request.payload["rule"] == "repeated_tool_call"
    assert request.payload["kind"] == "firing"
    assert request.payload["labels"]["agent"] == "looper"
    assert runner.stop() == 0
    assert scene.notifications() == [("sent", 1, 200)]


def test_resolved_follows_firing_though_firing_had_to_be_repeated(scene: Scene) -> None:
    scene.receiver("flaky")
    scene.trouble()
    runner = scene.start()
    scene.sink.wait()
    scene.db.execute("delete from public.trouble")
    kinds = [request.payload["kind"] for request in scene.sink.wait(4)]
    assert kinds == ["firing", "firing", "resolved", "resolved"]
    assert runner.stop() == 0
    assert scene.notifications() == [("sent", 2, 200), ("sent", 2, 200)]


def test_two_runners_deliver_each_notification_once(scene: Scene) -> None:
    scene.receiver()
    runners = [scene.start("one"), scene.start("two")]
    until(lambda: scene.value("select count(*) from agentdb.runner") == 2)
    scene.trouble(200)
    scene.sink.wait(200)
    assert [runner.stop() for runner in runners] == [0, 0]
    assert set(scene.sink.keys().values()) == {1}
    assert scene.states() == {"sent": 200}


def test_terminated_runner_finishes_what_is_in_flight(scene: Scene) -> None:
    scene.receiver("hang")
    scene.trouble(3)
    runner = scene.start()
    scene.sink.wait(3)
    runner.signal(signal.SIGTERM)
    until(lambda: runner.logged("stopping"))
    scene.trouble(3, "late")
    scene.sink.released.set()
    assert runner.wait() == 0
    assert len(scene.sink.received()) == 3
    assert scene.states()["sent"] == 3
    assert scene.value("select count(*) from agentdb.runner") == 0


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
        dsn = _installed(server)
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


def _installed(server: LocalServer) -> str:
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        create_roles(admin)
        create_database(admin, "agentdb", "template1")
        install(server.dsn(database="agentdb", user=INSTALLER))
        grant_groups(admin)
    return server.dsn(database="agentdb", user="operator_o")


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


def test_receiver_that_refuses_is_tried_once(scene: Scene) -> None:
    scene.receiver("404")
    scene.trouble()
    runner = scene.start()
    scene.sink.wait()
    assert runner.stop() == 0
    assert scene.notifications() == [("dead", 1, 404)]
    assert runner.logged("delivery given up")


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


def test_notification_that_nobody_announced_is_found(scene: Scene) -> None:
    scene.receiver()
    scene.trouble()
    scene.start()
    scene.sink.wait()
    until(lambda: scene.states() == {"sent": 1})
    scene.db.execute("update agentdb.notification set state = 'queued'")
    scene.make_due()
    scene.sink.wait(2)


def test_notification_of_another_session_is_announced(scene: Scene) -> None:
    scene.receiver()
    scene.db.execute("update agentdb.alert_rule set enabled = false")
    scene.start(poll=300)
    until(lambda: _beats(scene) >= {"listened_at", "sent_at"})
    scene.db.execute(
        "select agentdb.ingest(rule_name, evaluation, '[{\"labels\": {}}]')"
        " from agentdb.alert_rule where rule_name = 'trouble'"
    )
    scene.db.execute("select agentdb.flush()")
    scene.sink.wait()


def test_stdout_gets_a_line_for_each_notification(scene: Scene) -> None:
    scene.db.execute("insert into agentdb.receiver values ('screen', 'stdout')")
    scene.trouble()
    runner = scene.start()
    line = runner.line()
    assert line["receiver"] == "screen" and line["labels"] == {"name": "t1"}
    assert runner.stop() == 0
    assert scene.states() == {"sent": 1}


def test_runner_works_inside_another_program(scene: Scene) -> None:
    scene.db.execute("insert into agentdb.receiver values ('screen', 'stdout')")
    scene.trouble()
    stream = io.StringIO()

    async def program() -> bool:
        runner = Runner(scene.dsn, stream=stream)
        running = asyncio.create_task(runner.run())
        await asyncio.to_thread(until, stream.getvalue)
        runner.stop()
        return await running

    assert asyncio.run(program())
    assert json.loads(stream.getvalue())["labels"] == {"name": "t1"}
    assert scene.states() == {"sent": 1}


def test_every_loop_reports_its_laps(scene: Scene) -> None:
    runner = scene.start()
    until(lambda: len(_beats(scene)) == 4)
    assert runner.stop() == 0
    assert scene.value("select count(*) from agentdb.runner") == 0


def test_secrets_stay_out_of_the_log_and_the_database(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mode in ("ok", "404", "garbage"):
        name = f"HOOK_{mode}"
        monkeypatch.setenv(name, f"{scene.sink.url(mode)}?token={CANARY}")
        monkeypatch.setenv(f"{name}_SECRET", CANARY)
        scene.db.execute(
            "insert into agentdb.receiver (receiver_name, channel, target, secret_ref)"
            " values (%s, 'webhook', %s, %s)",
            [mode, f"env:{name}", f"env:{name}_SECRET"],
        )
    scene.trouble()
    runner = scene.start()
    scene.sink.wait(3)
    assert runner.stop() == 0
    assert CANARY not in runner.log.read_text()
    rows = scene.db.execute("select to_jsonb(n) from agentdb.notification as n")
    assert CANARY not in repr(rows.fetchall())


def test_interrupt_ends_the_runner_in_order_too(scene: Scene) -> None:
    runner = scene.start()
    until(lambda: _beats(scene))
    runner.signal(signal.SIGINT)
    assert runner.wait() == 0
    assert "Traceback" not in runner.log.read_text()


def test_runner_waits_for_a_database_that_is_not_there(scene: Scene) -> None:
    right = scene.dsn
    scene.dsn = right.replace(scene.db.info.dbname, "no_such_database")
    runner = scene.start()
    until(lambda: runner.logged("database trouble"))
    assert runner.stop() == 0


def test_connection_string_that_is_none_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="not a connection string") as refused:
        Runner(f"host=localhost password={CANARY}' x")
    assert CANARY not in str(refused.value)


def test_lease_must_outlive_an_attempt() -> None:
    with pytest.raises(ValueError, match="lease"):
        Settings(deadline=30, lease=30)


def test_loop_that_only_fails_reports_nothing(scene: Scene) -> None:
    scene.db.execute(
        "revoke execute on function agentdb.claim_rule from agentdb_operator"
    )
    runner = scene.start()
    until(lambda: len(_beats(scene)) == 3)
    assert "evaluated_at" not in _beats(scene)
    assert runner.stop() == 0


def _beats(scene: Scene) -> set[str]:
    """Return which loops the database has heard of."""
    rows = scene.db.execute(
        "select key from agentdb.runner as r,"
        " jsonb_each(jsonb_strip_nulls(to_jsonb(r) - 'started_at'))"
        " where key like '%_at'"
    )
    return {name for (name,) in rows}
