"""Runners in processes of their own, a real server, a real receiver."""

from __future__ import annotations

import asyncio
import io
import json
import signal

import pytest

from agentdb.config import Config, Misconfigured, read
from agentdb.runner import Runner, Settings

from .agents import register, start
from .changes import TABLES, approve, latest
from .conftest import (
    Connect,
    MakeDatabase,
)
from .scene import Scene, until
from .servers import Server

CANARY = "canary-91c4"
SEEN = """
select exists (
  select from agentdb.moment
  where pg_visible_in_snapshot((
    select xid from agentdb.audit_log order by audit_log_id desc limit 1), snapshot))
"""


def test_logged_event_reaches_the_receiver(scene: Scene, connect: Connect) -> None:
    scene.receiver()
    scene.db.execute("select agentdb.register_agent('looper', 'agent_a')")
    scene.db.execute(
        "update agentdb.alert_rule set enabled = true, evaluate_every = '200 ms'"
        " where rule_name = 'silent_loop'"
    )
    runner = scene.start()
    agent = connect(scene.db.info.dbname, "agent_a")
    agent.execute("select * from agentdb.start_run()")
    for _ in range(8):
        agent.execute("select * from agentdb.log_tool_call('search', '{}')")
    [request] = scene.sink.wait()
    assert request.payload["rule"] == "silent_loop"
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
    scene.receiver(each=True)
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


def test_receiver_that_refuses_is_tried_once(scene: Scene) -> None:
    scene.receiver("404")
    scene.trouble()
    runner = scene.start()
    scene.sink.wait()
    assert runner.stop() == 0
    assert scene.notifications() == [("dead", 1, 404)]
    assert runner.logged("delivery given up")


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
    until(lambda: scene.beats() >= {"listened_at", "sent_at"})
    scene.db.execute(
        "select agentdb.ingest(rule_name, evaluation, '[{\"labels\": {}}]')"
        " from agentdb.alert_rule where rule_name = 'trouble'"
    )
    scene.db.execute("select agentdb.flush()")
    # As a runner and the command line do, after the commit.
    scene.db.execute("notify agentdb_notification")
    scene.sink.wait()


def test_who_waits_for_a_change_is_woken_by_the_runner(
    scene: Scene, connect: Connect
) -> None:
    scene.db.execute(TABLES)
    scene.db.execute("select agentdb.guard_table('invoice')")
    register(scene.db)
    agent = connect(scene.db.info.dbname, "agent_a")
    start(agent)
    agent.execute("update agentdb_stage.invoice set state = 'paid' where id = 1")
    change = latest(scene.db)["change_id"]
    agent.execute("listen agentdb_change")
    runner = scene.start()
    until(lambda: scene.value("select count(*) from agentdb.runner") == 1)
    # By SQL, as an application that has agents' work reviewed does it.
    approved = approve(connect(scene.db.info.dbname, "reviewer_r"), change)
    assert approved["state"] == "applied"
    heard = [each.payload for each in agent.notifies(timeout=30, stop_after=1)]
    assert heard == [str(change)]
    assert runner.stop() == 0


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
        runner = Runner(Config({"main": scene.dsn}), stream=stream)
        running = asyncio.create_task(runner.run())
        await asyncio.to_thread(until, stream.getvalue)
        runner.stop()
        return await running

    assert asyncio.run(program())
    assert json.loads(stream.getvalue())["labels"] == {"name": "t1"}
    assert scene.states() == {"sent": 1}


def test_every_loop_reports_its_laps(scene: Scene) -> None:
    runner = scene.start()
    until(lambda: len(scene.beats()) == 5)
    assert runner.stop() == 0
    assert scene.value("select count(*) from agentdb.runner") == 0


def test_secrets_stay_out_of_the_log_and_the_database(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    for mode in ("ok", "404", "garbage"):
        name = f"HOOK_{mode}"
        monkeypatch.setenv(name, f"{scene.sink.url(mode)}?token={CANARY}")
        monkeypatch.setenv(f"{name}_SECRET", CANARY)
        scene.db.execute(
            "insert into agentdb.receiver (receiver_name, channel, target, secret_ref)"
            " values (%s, 'webhook', %s, %s)",
            [mode, f"env:{name}", f"env:{name}_SECRET"],
        )
        listed += [f"env:{name}", f"env:{name}_SECRET"]
    monkeypatch.setenv("AGENTDB_SECRETS", " ".join(listed))
    scene.trouble()
    runner = scene.start()
    scene.sink.wait(3)
    assert runner.stop() == 0
    assert CANARY not in runner.log.read_text()
    rows = scene.db.execute("select to_jsonb(n) from agentdb.notification as n")
    assert CANARY not in repr(rows.fetchall())


def test_interrupt_ends_the_runner_in_order_too(scene: Scene) -> None:
    runner = scene.start()
    until(lambda: scene.beats())
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
    with pytest.raises(Misconfigured, match="not a connection string") as refused:
        read(None, dsn=f"host=localhost password={CANARY}' x")
    assert CANARY not in str(refused.value)


def test_lease_must_outlive_an_attempt() -> None:
    with pytest.raises(ValueError, match="lease"):
        Settings(deadline=30, lease=30)


def test_runner_says_that_agentdb_is_not_installed(
    scene: Scene, server: Server, make_database: MakeDatabase
) -> None:
    scene.dsn = server.dsn(database=make_database(), user="operator_o")
    runner = scene.start()
    until(lambda: "run agentdb install" in runner.log.read_text())
    assert runner.stop() == 0


def test_loop_that_only_fails_reports_nothing(scene: Scene) -> None:
    scene.db.execute(
        "revoke execute on function agentdb.claim_rule from agentdb_operator"
    )
    runner = scene.start()
    until(lambda: len(scene.beats()) == 4)
    assert "evaluated_at" not in scene.beats()
    assert runner.stop() == 0


def test_the_past_is_exact_a_moment_after_it_was_written(scene: Scene) -> None:
    """A snapshot that sees a write, and one before it, are the runner's own doing."""

    def wait_for_a_snapshot() -> str:
        """Wait until one sees what was written last; return a moment after it."""
        until(lambda: scene.value(SEEN) is True)
        return str(scene.value("select clock_timestamp()::text"))

    scene.db.execute("create table public.book (id int primary key, page int)")
    scene.db.execute("select agentdb.audit_table('public.book')")
    runner = scene.start()
    scene.db.execute("insert into public.book values (1, 1)")
    at = wait_for_a_snapshot()
    scene.db.execute("update public.book set page = 2")
    wait_for_a_snapshot()
    asked = f"'public.book', at => '{at}'"
    assert scene.value(f"select agentdb.exact_at({asked}) = '{at}'::timestamptz")
    page = f"select (row_values ->> 'page')::int from agentdb.table_as_of({asked})"
    assert scene.value(page) == 1
    assert runner.stop() == 0
