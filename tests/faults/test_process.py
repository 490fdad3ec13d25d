"""Runners that die, freeze, meet, or live in another time."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from ..scene import Scene, until

# Ends the process at one call of the database, before it is made or after its answer.
DIES = """
import os, signal
from agentdb.runner.session import Session
when, call = os.environ["DIES"].split()
rows = Session.rows
async def die(self, statement, *given, **more):
    there = f"agentdb.{call}(" in statement
    if there and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = await rows(self, statement, *given, **more)
    if there and answer and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
Session.rows = die
"""
CALLS = ("mark_sent", "claim_rule", "ingest", "flush", "claim_notification")
MINUTE = 60.0
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.mark.parametrize("when", ["before", "after"])
def test_runner_killed_at_each_transition_loses_nothing(
    scene: Scene, when: str
) -> None:
    scene.receiver()
    for number, call in enumerate(CALLS):
        scene.trouble(1, f"{number} ")
        environment = {"DIES": f"{when} {call}"}
        runner = scene.start(call, first=DIES, environment=environment)
        assert runner.wait() == -signal.SIGKILL
        scene.db.execute(
            "update agentdb.alert_rule set next_evaluation_at = clock_timestamp()"
        )
        scene.make_due()
    last = scene.start()
    until(lambda: scene.states() == {"sent": len(CALLS)})
    until(lambda: last.logged("runner started"))
    assert last.stop() == 0
    # Any death may fall between an answer and its mark; no attempt is made twice.
    requests = scene.sink.received()
    made = {(request.key, request.headers["Agentdb-Attempt"]) for request in requests}
    assert len(made) == len(requests)
    assert len(scene.sink.keys()) == len(CALLS)
    assert len(requests) <= scene.value("select sum(attempt) from agentdb.notification")
    repeated = scene.sink.keys()[requests[0].key] > 1
    assert repeated == (when == "before")


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


def test_runner_frozen_for_a_minute_changes_nothing(scene: Scene) -> None:
    """With the lease and the deadline that people have."""
    scene.receiver("hang")
    scene.trouble()
    frozen = scene.start("one")
    scene.sink.wait()
    frozen.signal(signal.SIGSTOP)
    frozen_at = time.monotonic()
    scene.sink.released.set()
    other = scene.start("two")
    until(lambda: scene.states() == {"sent": 1}, within=MINUTE)
    assert scene.notifications() == [("sent", 2, 200)]
    scene.trouble(1, "meanwhile")
    until(lambda: scene.states() == {"sent": 2})
    time.sleep(max(MINUTE - (time.monotonic() - frozen_at), 0))
    frozen.signal(signal.SIGCONT)
    until(lambda: frozen.logged("outcome came too late: somebody else delivers now"))
    assert scene.notifications() == [("sent", 1, 200), ("sent", 2, 200)]
    assert [frozen.stop(), other.stop()] == [0, 0]
    assert sorted(scene.sink.keys().values()) == [1, 2]


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


def test_three_runners_of_which_one_dies_and_one_ends_deliver_all(scene: Scene) -> None:
    scene.receiver(each=True)
    dying, ending, staying = (scene.start(name) for name in ("one", "two", "three"))
    until(lambda: scene.value("select count(*) from agentdb.runner") == 3)
    scene.trouble(60)
    scene.sink.wait(10)
    dying.signal(signal.SIGKILL)
    assert ending.stop() == 0
    scene.trouble(20, "later")
    scene.sink.wait(60)
    dying.wait()
    scene.make_due()
    until(lambda: scene.states() == {"sent": 80})
    assert staying.stop() == 0
    repeated = [count for count in scene.sink.keys().values() if count > 1]
    assert len(scene.sink.keys()) == 80
    # What the dead one had in hand, at most.
    assert sum(repeated) <= 2 * 8


@pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime")
@pytest.mark.parametrize("off", ["+1d", "-1d"])
def test_clock_of_the_runner_decides_nothing(scene: Scene, off: str) -> None:
    scene.receiver("flaky")
    scene.trouble(3)
    runner = scene.start(environment={"LD_PRELOAD": str(FAKETIME), "FAKETIME": off})
    until(lambda: scene.states() == {"sent": 3})
    until(lambda: len(scene.beats()) == 5)
    assert scene.value("select healthy from agentdb.runner_health")
    assert scene.value(
        "select bool_and(abs(extract(epoch from finished_at - clock_timestamp())) < 60)"
        " from agentdb.notification"
    )
    assert runner.stop() == 0
    assert sorted(scene.sink.keys().values()) == [2, 2, 2]
