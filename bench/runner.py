"""Measures how soon a receiver hears of trouble, and what a runner costs.

Run it from the checkout: python -m bench.runner
"""

from __future__ import annotations

import random
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg

from agentdb.local import LocalServer
from tests.conftest import install_on
from tests.scene import Scene
from tests.sink import Sink

SAMPLES = 100
PERIODS = (0.25, 1.0)
IDLE = 10.0
STORM = 10_000
STARTS = 5
WRITERS = 4
WRITE_FOR = 4.0
ROUNDS = 6


def main() -> None:
    """Print the measurements."""
    with _scene() as scene:
        print(f"start to ready: {_start(scene):.2f} s")
        began = time.time()
        runner = scene.start(slots=16)
        scene.trouble(1, "first")
        print(f"start to first request: {scene.sink.wait()[0].at - began:.2f} s")
        _evaluate_every(scene, 15)
        print(f"idle: {_idle(runner.pid):.2%} of a core, {_resident(runner.pid)} MB")
        for period in PERIODS:
            _report(period, _latencies(scene, period))
        with _broken(scene):
            print("with 5 rules that hang and a receiver that hangs:")
            _report(PERIODS[0], _latencies(scene, PERIODS[0], "beside the broken"))
        print(f"{STORM} alerts to one receiver: {_storm(scene):.1f} s, none twice")
        assert runner.stop() == 0
        print(f"agents' writes, runner on to off: {_write_ratio(scene):.3f}")


@contextmanager
def _scene() -> Iterator[Scene]:
    """Set the scene, with all rules of the pack at work besides."""
    with (
        LocalServer(fast=True) as server,
        Sink().serving() as sink,
        tempfile.TemporaryDirectory() as logs,
    ):
        dsn = install_on(server)
        with psycopg.connect(server.dsn(database="agentdb"), autocommit=True) as db:
            scene = Scene(db, dsn, sink, Path(logs))
            db.execute("update agentdb.alert_rule set enabled = true")
            scene.receiver(each=True)
            with scene.open():
                yield scene


def _evaluate_every(scene: Scene, period: float) -> None:
    scene.db.execute(
        "update agentdb.alert_rule set evaluate_every = %s * interval '1 s',"
        " next_evaluation_at = clock_timestamp() where rule_name = 'trouble'",
        [period],
    )


def _idle(pid: int) -> float:
    """Return the share of a core that a runner takes with nothing to tell."""
    before = _cpu_seconds(pid)
    time.sleep(IDLE)
    return (_cpu_seconds(pid) - before) / IDLE


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def _start(scene: Scene) -> float:
    """Return how long a runner takes until systemd takes it for started; the median."""
    times = []
    with tempfile.TemporaryDirectory() as place:
        for number in range(STARTS):
            name = f"{place}/{number}"
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(name)
                began = time.monotonic()
                runner = scene.start_configured(NOTIFY_SOCKET=name)
                assert manager.recv(100) == b"READY=1"
                times.append(time.monotonic() - began)
            assert runner.stop() == 0
    return statistics.median(times)


@contextmanager
def _broken(scene: Scene) -> Iterator[None]:
    """Have rules that hang until their timeout, and a receiver that never answers."""
    view = "select '{}'::jsonb as labels, pg_sleep(60)::text as value"
    for number in range(5):
        name = f"hangs_{number}"
        scene.db.execute(
            f"create view public.{name} as {view}, null::jsonb as annotations".encode()
        )
        scene.db.execute(f"grant select on public.{name} to agentdb_operator".encode())
        scene.rule(name, f"public.{name}")
    scene.receiver("hang", each=True)
    yield
    scene.db.execute("delete from agentdb.alert_rule where rule_name like 'hangs%'")
    scene.db.execute("update agentdb.receiver set enabled = receiver_name = 'ok'")
    scene.sink.released.set()


def _write_ratio(scene: Scene) -> float:
    """Return agents' writes with the runner on to those with it off; the median."""
    # The pack's own rules at their own pace, and nothing left of the storm.
    scene.db.execute("update agentdb.alert_rule set enabled = rule_name <> 'trouble'")
    scene.db.execute("truncate public.trouble, agentdb.alert cascade")
    dsn = scene.dsn.replace("operator_o", "agent_a")
    scene.db.execute("select agentdb.register_agent('writer', 'agent_a')")
    with psycopg.connect(dsn, autocommit=True) as agent:
        agent.execute("select agentdb.start_run()")
    ratios = []
    for number in range(ROUNDS):
        # Which comes first alternates, as what is written slows what follows.
        on = _writes(scene, dsn, runs=True) if number % 2 else 0.0
        off = _writes(scene, dsn, runs=False)
        ratios.append((on or _writes(scene, dsn, runs=True)) / off)
    return statistics.median(ratios)


def _writes(scene: Scene, dsn: str, *, runs: bool) -> float:
    """Return how many calls a second WRITERS agents get through."""
    runner = scene.start("beside") if runs else None
    time.sleep(2 if runs else 0.5)
    end = time.monotonic() + WRITE_FOR

    def write() -> int:
        count = 0
        with psycopg.connect(dsn, autocommit=True) as agent:
            while time.monotonic() < end:
                agent.execute("select agentdb.log_progress('step')")
                agent.execute("select agentdb.log_tool_call('search')")
                count += 2
        return count

    with ThreadPoolExecutor(WRITERS) as pool:
        done = sum(pool.map(lambda _: write(), range(WRITERS)))
    if runner:
        assert runner.stop() == 0
    return done / WRITE_FOR


def _latencies(
    scene: Scene, period: float, name: str = "sample", mode: str = "ok"
) -> list[float]:
    """Trip the rule at random moments; time from visible in the view to request."""
    _evaluate_every(scene, period)
    latencies = []
    for number in range(SAMPLES):
        time.sleep(random.uniform(0, period))
        arrived = len(scene.sink.received(mode))
        visible = time.time()
        scene.trouble(1, f"period {period} {name} {number} of ")
        latencies.append(scene.sink.wait(arrived + 1, mode)[-1].at - visible)
    return latencies


def _report(period: float, latencies: list[float]) -> None:
    p95 = statistics.quantiles(latencies, n=20)[-1]
    parts = (
        f"{name} {latency * 1000:.0f} ms = period {(latency - period) * 1000:+.0f} ms"
        for name, latency in (("p95", p95), ("worst", max(latencies)))
    )
    print(f"rule evaluated every {period * 1000:.0f} ms: {', '.join(parts)}")


def _storm(scene: Scene) -> float:
    scene.db.execute(
        "update agentdb.alert_rule set max_alerts = 20000, timeout = '1 min'"
    )
    # Else most of it is the rule's own work, told of 10,000 rows four times a second.
    _evaluate_every(scene, 5)
    arrived = len(scene.sink.received("ok"))
    began = time.monotonic()
    scene.trouble(STORM, "storm")
    while (here := len(scene.sink.received("ok"))) < arrived + STORM:
        scene.sink.wait(here + 1, "ok")
    assert set(scene.sink.keys("ok").values()) == {1}
    return time.monotonic() - began


if __name__ == "__main__":
    main()
