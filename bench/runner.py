"""Measures how soon a receiver hears of trouble, and what a runner costs.

Run it from the checkout: python -m bench.runner
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
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


def main() -> None:
    """Print the measurements."""
    with _scene() as scene:
        began = time.time()
        runner = scene.start(slots=16)
        scene.trouble(1, "first")
        print(f"start to first request: {scene.sink.wait()[0].at - began:.2f} s")
        _evaluate_every(scene, 15)
        print(f"idle: {_idle(runner.pid):.2%} of a core, {_resident(runner.pid)} MB")
        for period in PERIODS:
            _report(period, _latencies(scene, period))
        print(f"{STORM} alerts to one receiver: {_storm(scene):.1f} s, none twice")
        assert runner.stop() == 0


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
            scene.receiver()
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


def _latencies(scene: Scene, period: float) -> list[float]:
    """Trip the rule at random moments; time from visible in the view to request."""
    _evaluate_every(scene, period)
    latencies = []
    for number in range(SAMPLES):
        time.sleep(random.uniform(0, period))
        arrived = len(scene.sink.received())
        visible = time.time()
        scene.trouble(1, f"period {period} sample {number} of ")
        latencies.append(scene.sink.wait(arrived + 1)[-1].at - visible)
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
    arrived = len(scene.sink.received())
    began = time.monotonic()
    scene.trouble(STORM, "storm")
    while len(scene.sink.received()) < arrived + STORM:
        scene.sink.wait(len(scene.sink.received()) + 1)
    assert set(scene.sink.keys().values()) == {1}
    return time.monotonic() - began


if __name__ == "__main__":
    main()
