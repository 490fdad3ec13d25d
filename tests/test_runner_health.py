"""Who watches the watcher: pages, pings, systemd, the database, and what agents hear."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner

from agentdb.channels import Notification, Outcome
from agentdb.cli import main
from agentdb.config import Config, Fallback, Rate
from agentdb.runner.attendants.alarm import Alarm
from agentdb.runner.loops.bucket import Buckets
from agentdb.runner.signs import NEEDED, Signs

from .agents import register, row, start, value
from .conftest import Connect, Connection, MakeDatabase
from .ports import free_port
from .relay import Relay
from .scene import Process, Scene, until
from .servers import Server

QUICK = "[fallback]\nchannel = 'webhook'\ntarget = 'env:FALLBACK'\nafter = 3\n"


def page(port: int, path: str) -> tuple[int, str]:
    """Return status and body of a page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def beat(db: Connection, *loops: str) -> None:
    for loop in loops:
        db.execute("select agentdb.beat('r', %s, 'h', 1, 'v')", [loop])


def test_pages_tell_which_loop_of_which_database_fails(scene: Scene) -> None:
    port = free_port()
    scene.receiver()
    scene.trouble()
    with Relay(scene.db.info.host, scene.db.info.port).relaying() as relay:
        other = relay.dsn(scene.db.info.dbname, "operator_o")
        runner = scene.start_configured(
            f"[databases]\nmain = '{scene.dsn}'\nfar = '{other}'\n"
            f"[health]\naddress = '127.0.0.1:{port}'\n"
            # One database under two addresses.
            "[runner]\nsite = 'here'\n"
        )
        scene.sink.wait()
        until(lambda: page(port, "/healthz")[0] == 200)
        assert json.loads(page(port, "/readyz")[1])["databases"]["far"]["ready"]
        metrics = page(port, "/metrics")[1]
        assert 'agentdb_loop_silent_seconds{database="far",loop="verify"}' in metrics
        assert metrics.count('outcome="sent"} 1') == 1
        assert page(port, "/other")[0] == 404
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST /healthz HTTP/1.1\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 405")
    assert runner.stop() == 0
    assert page(port, "/healthz")[0] == 0


def test_sign_of_life_is_a_success_and_no_failure() -> None:
    signs = Signs()
    for loop in NEEDED:
        signs.succeeded(loop)
    assert signs.ready and not signs.late(30)
    signs._succeeded["verify"] = -1e9
    signs.turned("verify 1")
    signs.failed("verify", "42501: permission denied")
    assert list(signs.late()) == ["verify"] and not list(signs.stuck())
    assert signs.why() == "42501: permission denied"
    signs._turned["verify 1"] = -1e9
    assert list(signs.stuck()) == ["verify 1"]


def test_health_names_the_loop_of_a_runner_that_is_late(db: Connection) -> None:
    asked = "select state, detail from agentdb.health_check where check_name = 'runner'"
    beat(db, "evaluate", "flush", "send")
    assert row(db, asked) == {
        "state": "critical",
        "detail": "no runner works: loop verify of r is late; see its log",
    }
    beat(db, "verify")
    assert row(db, asked) == {"state": "ok", "detail": "1 of 1 runners work"}
    db.execute(
        "update agentdb.runner set started_at = '-infinity',"
        " evaluated_at = '2020-01-01', flushed_at = '2020-01-01',"
        " sent_at = '2020-01-01', verified_at = '2020-01-01'"
    )
    assert "start agentdb run" in value(db, asked.replace("state, ", ""))


def test_rules_that_were_never_evaluated_have_no_age(db: Connection) -> None:
    asked = "select detail from agentdb.health_check where check_name = 'rules'"
    count = value(db, "select count(*) from agentdb.alert_rule where enabled")
    assert value(db, asked) == f"{count} of {count} rules were never evaluated"
    db.execute("update agentdb.alert_rule set evaluated_at = clock_timestamp()")
    assert value(db, asked).startswith(f"{count} rules; the oldest answer is ")


def test_database_that_is_down_is_told_once_and_delays_no_other(scene: Scene) -> None:
    scene.receiver()
    with Relay(scene.db.info.host, scene.db.info.port).relaying() as relay:
        far = relay.dsn(scene.db.info.dbname, "operator_o")
        relay.flowing.clear()
        runner = scene.start_configured(
            f"[databases]\nmain = '{scene.dsn}'\nfar = '{far}'\n" + QUICK,
            FALLBACK=scene.sink.url("200"),
        )
        [told] = scene.sink.wait(1, "200")
        assert told.payload["labels"]["database"] == "far"
        assert told.payload["severity"] == "critical"
        assert "far is not watched: no success of evaluate" in told.payload["summary"]
        scene.trouble()
        scene.sink.wait(1, "ok")
        assert len(scene.sink.received("200")) == 1
        relay.flowing.set()
        kinds = [r.payload["kind"] for r in scene.sink.wait(2, "200")]
        assert kinds == ["firing", "resolved"]
        assert runner.stop() == 0


def test_fallback_that_fails_is_tried_again_with_the_same_key(scene: Scene) -> None:
    nowhere = "host=127.0.0.1 port=1 user=x"
    runner = scene.start_configured(
        f"[databases]\nfar = '{nowhere}'\n" + QUICK, FALLBACK=scene.sink.url("503")
    )
    scene.sink.wait(1, "503")
    until(lambda: runner.logged("fallback not reached"))
    assert runner.logged("database not watched")
    assert runner.stop() == 0


def test_alarm_is_repeated_each_quarter_of_an_hour_until_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[tuple[float, str, int]] = []
    now = 1000.0
    answers = [Outcome(503, error="no"), *[Outcome(200)] * 4]

    class Channel:
        async def deliver(
            self, told: Notification, *, deadline: float, trusted: bool
        ) -> Outcome:
            # The configuration says whom to tell, and no row of the database.
            assert trusted
            sent.append((now, told.kind, told.attempt))
            return answers[len(sent) - 1]

    monkeypatch.setattr(time, "monotonic", lambda: now)
    config = Config({"main": ""}, fallback=Fallback("webhook", "http://x"))
    signs = Signs()
    state = SimpleNamespace(signs=signs, name="one", foreign=False)
    runner: Any = SimpleNamespace(config=config, channels=Channel())
    alarm = Alarm("main")

    def look(*moments: float) -> None:
        nonlocal now
        for moment in moments:
            now = moment
            asyncio.run(alarm.look(runner, cast(Any, SimpleNamespace(state=state))))

    look(1030.0, 1061.0, 1062.0, 1076.0, 1100.0, 1900.0, 1980.0, 2000.0)
    for loop in NEEDED:
        signs.succeeded(loop)
    look(2001.0, 2002.0)
    assert sent == [
        (1061.0, "firing", 1),
        (1076.0, "firing", 2),
        (1980.0, "firing", 1),
        (2001.0, "resolved", 1),
    ]


def test_ping_comes_only_while_every_loop_succeeds(scene: Scene) -> None:
    far = "host=127.0.0.1 port=1 user=x"
    url = scene.sink.url("204")
    ping = f"[ping]\nurl = '{url}'\nevery = 1\n"
    runner = scene.start_configured(ping)
    scene.sink.wait(2, "204")
    scene.configure(f"[databases]\nmain = '{scene.dsn}'\nfar = '{far}'\n" + ping)
    runner.signal(signal.SIGHUP)
    until(lambda: runner.logged("configuration reloaded"))
    until(lambda: '"database": "far"' in runner.log.read_text())
    so_far = len(scene.sink.received("204"))
    time.sleep(1.5)
    assert len(scene.sink.received("204")) <= so_far + 1
    assert runner.stop() == 0


@contextmanager
def managed(scene: Scene, place: Path) -> Iterator[tuple[socket.socket, Process]]:
    """Run a runner under a service manager that has a watchdog."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place))
        manager.settimeout(30)
        yield (
            manager,
            scene.start_configured(NOTIFY_SOCKET=str(place), WATCHDOG_USEC="300000"),
        )


def test_systemd_hears_of_start_life_reload_and_end(
    scene: Scene, tmp_path: Path
) -> None:
    with managed(scene, tmp_path / "notify") as (manager, runner):
        assert manager.recv(100) == b"READY=1"
        assert [manager.recv(100) for _ in range(2)] == [b"WATCHDOG=1"] * 2
        runner.signal(signal.SIGHUP)
        heard = b""
        while b"RELOADING=1" not in heard:
            heard = manager.recv(100)
        assert b"MONOTONIC_USEC=" in heard
        runner.signal(signal.SIGTERM)
        while heard != b"STOPPING=1":
            heard = manager.recv(100)
        assert runner.wait() == 0


def test_watchdog_goes_hungry_when_the_process_hangs(
    scene: Scene, tmp_path: Path
) -> None:
    with managed(scene, tmp_path / "notify") as (manager, runner):
        while manager.recv(100) != b"WATCHDOG=1":
            pass
        os.kill(runner.pid, signal.SIGSTOP)
        manager.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(20):
                manager.recv(100)
        os.kill(runner.pid, signal.SIGCONT)
        assert runner.stop() == 0


def test_runner_is_healthy_only_if_every_loop_is(db: Connection) -> None:
    beat(db, "evaluate", "flush", "send")
    assert not value(db, "select healthy from agentdb.runner_health")
    beat(db, "verify")
    assert value(db, "select healthy from agentdb.runner_health")
    db.execute(
        "update agentdb.runner set verified_at = clock_timestamp() - interval '1 min'"
    )
    found = row(db, "select healthy, silent_for from agentdb.runner_health")
    assert not found["healthy"] and found["silent_for"].total_seconds() > 59


def test_agents_hear_for_how_long_nobody_has_watched(
    db: Connection, connect: Connect
) -> None:
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    call = "select alerting_silent_for from agentdb.log_progress(%s)"
    db.execute(
        "update agentdb.agent set registered_at = clock_timestamp() - interval '1 h'"
    )
    assert value(agent, call, "a").total_seconds() > 3599
    beat(db, "evaluate", "flush", "send", "verify")
    assert value(agent, call, "b") is None
    db.execute(
        "update agentdb.runner set started_at = clock_timestamp() - interval '1 h',"
        " sent_at = clock_timestamp() - interval '5 min'"
    )
    assert 299 < value(agent, call, "c").total_seconds() < 400
    db.execute("select agentdb.retire_runner('r')")
    db.execute("update agentdb.alert_rule set evaluated_at = clock_timestamp()")
    assert value(agent, call, "d") is None


def test_check_speaks_as_monitoring_plugins_do(
    db: Connection,
    server: Server,
    make_database: MakeDatabase,
    template: str,
    place: Path,
) -> None:
    def check(dsn: str, second: str) -> tuple[int, str]:
        file = place / "agentdb.toml"
        file.write_text(f"[databases]\nmain = '{dsn}'\nsecond = '{second}'\n")
        done = CliRunner().invoke(main, ["check", "--config", str(file)])
        return done.exit_code, done.output

    good = server.dsn(database=db.info.dbname, user="operator_o")
    bad = server.dsn(database=make_database(template), user="operator_o")
    beat(db, "evaluate", "flush", "send", "verify")
    db.execute("select agentdb.maintain()")
    db.execute("update agentdb.roll_up_state set rolled_at = clock_timestamp()")
    db.execute("update agentdb.alert_rule set next_evaluation_at = clock_timestamp()")
    assert check(good, good)[0] == 0
    assert check(good, good)[1].startswith("AGENTDB OK - main: runner: 1 of 1")
    code, said = check(good, bad)
    assert code == 2
    assert "AGENTDB CRITICAL - second: runner: no runner has ever reported" in said
    code, said = check(good, "host=127.0.0.1 port=1 user=x password=canary-77aa")
    assert code == 3 and "AGENTDB UNKNOWN - second" in said
    assert "canary" not in said
    assert check(bad, "host=127.0.0.1 port=1 user=x")[0] == 2
    done = CliRunner().invoke(main, ["check", "--config", "/no/such"])
    assert done.exit_code == 3


def test_bucket_limits_a_receiver_and_its_debt_is_paid_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    buckets = Buckets({"slow": Rate(per_second=0.5, burst=2)})
    for _ in range(4):
        buckets.take("slow", "webhook")
        buckets.take("quick", "webhook")
    assert buckets.waits() == {"slow": 6.0}
    now += 5.9
    assert "slow" in buckets.waits()
    now += 0.2
    assert buckets.waits() == {}
    now += 1000
    buckets.take("slow", "webhook")
    buckets.take("slow", "webhook")
    assert buckets.waits() == {"slow": 2.0}


def test_slow_bucket_of_one_receiver_delays_no_other(scene: Scene) -> None:
    scene.receiver(name="slow", each=True)
    scene.receiver("flaky", name="quick", each=True)
    runner = scene.start_configured(
        "[runner]\nslots = 2\n[rate.slow]\nper_second = 0.001\nburst = 3\n"
    )
    scene.trouble(20)
    scene.sink.wait(20, "flaky")
    scene.sink.wait(3, "ok")
    assert runner.stop() == 0
    assert len(scene.sink.received("ok")) == 3


def test_program_of_the_configuration_is_run_and_no_other(
    scene: Scene, tmp_path: Path
) -> None:
    scene.db.execute(
        "insert into agentdb.receiver (receiver_name, channel, target)"
        " values ('given', 'exec', 'note'), ('other', 'exec', 'shell')"
    )
    scene.trouble()
    runner = scene.start_configured(
        f"[exec.note]\nargv = ['/usr/bin/tee', '{tmp_path}/out']\n"
    )
    until(lambda: scene.states() == {"sent": 1, "dead": 1})
    assert json.loads((tmp_path / "out").read_text())["rule"] == "trouble"
    assert runner.stop() == 0


def test_configuration_of_a_runner_may_be_made_in_a_program() -> None:
    assert Config({"main": ""}).runner.slots == 8
