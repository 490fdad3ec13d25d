"""Processes of agents that end, fork and are killed: what is recorded is a prefix."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import pytest

from agentdb import AsyncAgent
from agentdb.client import BudgetRefused, Limits
from agentdb.errors import LockInUse

from .agents import register, row, rows, value
from .conftest import Connection
from .scene import until
from .servers import Server

ROOT = Path(__file__).parent.parent
# So many processes are killed, at work so many at a time.
KILLS, TOGETHER = int(os.environ.get("AGENTDB_KILLS", "30")), 6
SIGNALS = 8


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    register(db)
    return server.dsn(database=db.info.dbname, user="agent_a")


def program(dsn: str, body: str) -> subprocess.Popen[str]:
    """Start a program of an agent that has `agent`."""
    head = "import os, sys, time, signal\nfrom agentdb import Agent\nagent = Agent.from_env()\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + textwrap.dedent(body)],
        cwd=ROOT,
        env={**os.environ, "AGENTDB_DSN": dsn},
        stdout=subprocess.PIPE,
        text=True,
    )


def places(db: Connection, run: int | None = None) -> list[int]:
    found = rows(
        db,
        "select (args ->> 'place')::int as n from agentdb.tool_call_log"
        " where run_id = coalesce(%s, run_id) order by tool_call_log_id",
        run,
    )
    return [each["n"] for each in found]


def is_recorded(db: Connection, run: int, place: int) -> bool:
    return place in places(db, run)


@pytest.mark.parametrize("batch", range(KILLS // TOGETHER))
def test_killed_process_leaves_a_prefix_of_what_happened(
    db: Connection, dsn: str, batch: int
) -> None:
    """No call is missing before one that is there, none is twice.

    What has been sent once is there: only what is younger than the window is lost.
    """
    body = """
        run = agent.run().__enter__()
        print(run.id, flush=True)
        for place in range(1_000_000):
            run.log_call("t", {"place": place})
            print(place, flush=True)
            time.sleep(0.001)
        """
    children = [program(dsn, body) for _ in range(TOGETHER)]
    chance = random.Random(batch)
    for child in children:
        assert child.stdout
        run, early = int(child.stdout.readline()), 0
        for _ in range(chance.randrange(1, 300)):
            early = int(child.stdout.readline())
        # It comes by itself, while the program goes on.
        until(partial(is_recorded, db, run, early))
        for _ in range(chance.randrange(1, 700)):
            child.stdout.readline()
        child.kill()
        child.wait()
        child.stdout.close()
        there = places(db, run)
        assert there == list(range(len(there)))
        assert len(there) > early


@pytest.mark.parametrize(
    "end", ["sys.exit(3)", "os.kill(os.getpid(), signal.SIGTERM)", "1 / 0"]
)
def test_whatever_ends_a_program_in_order_loses_nothing(
    db: Connection, dsn: str, end: str
) -> None:
    child = program(
        dsn,
        f"""
        sys.stderr = open(os.devnull, "w")
        run = agent.run().__enter__()
        for place in range(100):
            run.log_call("t", {{"place": place}})
        {end}
        """,
    )
    child.communicate()
    assert child.returncode == {"s": 3, "o": -signal.SIGTERM, "1": 1}[end[0]]
    assert places(db) == list(range(100))


def test_forked_process_records_its_own_and_not_what_the_parent_kept(
    db: Connection, dsn: str
) -> None:
    child = program(
        dsn,
        """
        with agent.run() as run:
            run.log_call("t", {"place": 1})
            if (pid := os.fork()) == 0:
                run.log_call("t", {"place": 2})
                sys.exit()
            os.waitpid(pid, 0)
            run.log_call("t", {"place": 3})
        """,
    )
    child.communicate()
    assert child.returncode == 0
    assert sorted(places(db)) == [1, 2, 3]
    assert value(db, "select outcome from agentdb.run") == "succeeded"


def test_memory_and_threads_stay_as_they_are(dsn: str) -> None:
    child = program(
        dsn,
        """
        import resource, threading
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with agent.run() as run:
            for round in range(2):
                for place in range(20_000):
                    run.log_call("t", {"place": place, "text": "x" * 200})
                    if place % 2000 == 0:
                        run._log.flush()
                run._log.flush(30)
                if round == 0:
                    first = peak()
        print(peak() - first, threading.active_count())
        """,
    )
    grown, threads = child.communicate()[0].split()
    assert child.returncode == 0
    assert int(grown) < 8 * 1024
    assert int(threads) == 1


def test_asyncio_has_the_same(db: Connection, dsn: str) -> None:
    async def work() -> None:
        agent = AsyncAgent(dsn, limits=Limits(window=0.05))
        async with agent.run("x", on_behalf_of="ada") as run:

            async def double(n: int) -> int:
                await asyncio.sleep(0)
                return 2 * n

            numbers = await asyncio.gather(
                *(run.call("double", {"n": n}, partial(double, n)) for n in range(20))
            )
            assert numbers == [2 * n for n in range(20)]
            assert await run.tool(double)(4) == 8
            async with run.tokens(100) as spent:
                spent.set(input=5, output=1)
            async with run.lock("l") as lock:
                assert not lock.lost.is_set()
                with pytest.raises(LockInUse):
                    async with agent.run("y") as second, second.lock("l"):
                        raise AssertionError("two have it")
            held = await run.lock("l")
            assert await held.release() and not await held.release()
            with pytest.raises(BudgetRefused):
                async with run.tokens(10**9):
                    raise AssertionError("it was let through")
            question = await run.ask("Which?")
            assert await run.answer(question) is None
            assert len(await run.budget()) == 4
            run.progress("done")

    asyncio.run(work())
    assert value(db, "select count(*) from agentdb.tool_call_log") == 21
    assert row(
        db, "select state, on_behalf_of from agentdb.run_summary where purpose = 'x'"
    ) == {
        "state": "succeeded",
        "on_behalf_of": "ada",
    }


def test_cancelled_task_ends_its_run(db: Connection, dsn: str) -> None:
    async def work(began: asyncio.Event) -> None:
        async with AsyncAgent(dsn).run():
            began.set()
            await asyncio.Event().wait()

    async def main() -> None:
        began = asyncio.Event()
        task = asyncio.create_task(work(began))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    until(lambda: value(db, "select outcome from agentdb.run") == "cancelled")


def test_stop_reaches_a_program_that_only_computes(db: Connection, dsn: str) -> None:
    child = program(
        dsn,
        """
        from agentdb.errors import Stopped
        with agent.run() as run:
            print(run.id, flush=True)
            try:
                while True:
                    run.check()
                    time.sleep(0.01)
            except Stopped as stopped:
                print(stopped)
        """,
    )
    assert child.stdout
    run = int(child.stdout.readline())
    db.execute("select agentdb.kill_run(%s, 'enough')", [run])
    began = time.monotonic()
    assert "enough" in child.communicate(timeout=30)[0]
    assert time.monotonic() > began


def test_signal_in_the_middle_of_anything_ends_the_program_and_loses_nothing(
    db: Connection, dsn: str
) -> None:
    """Whatever the main thread was at, a lock of our own included."""
    for delay in range(SIGNALS):
        before = len(places(db))
        child = program(
            dsn,
            f"""
            import threading
            run = agent.run().__enter__()
            threading.Timer(
                0.1 + {delay} / 50, os.kill, [os.getpid(), signal.SIGTERM]).start()
            for place in range(10_000_000):
                run.log_call("t", {{"place": place}})
                print(place, flush=True)
                if place % 5 == 0:
                    run.budget()
            """,
        )
        said = child.communicate(timeout=60)[0].splitlines()
        assert child.returncode == -signal.SIGTERM
        there = places(db)[before:]
        assert there == list(range(len(there)))
        assert len(there) >= len(said)


def test_handler_of_the_program_stays_its_own(db: Connection, dsn: str) -> None:
    child = program(
        dsn,
        """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
        with agent.run() as run:
            run.log_call("t", {"place": 1})
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        """,
    )
    child.communicate()
    assert child.returncode == 9
    assert places(db) == [1]
    assert value(db, "select outcome from agentdb.run") == "failed"


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_processes_of_multiprocessing_record_their_own(
    db: Connection, dsn: str, way: str, tmp_path: Path
) -> None:
    """They end by os._exit: nothing that is registered for the end is called."""
    file = tmp_path / "many.py"
    file.write_text(
        textwrap.dedent(
            """
            import multiprocessing, sys
            from agentdb import Agent
            def own(place):
                with Agent.from_env().run() as run:
                    run.log_call("t", {"place": place})
            def work(place):
                run.log_call("t", {"place": place})
            if __name__ == "__main__":
                way = multiprocessing.get_context(sys.argv[1])
                with Agent.from_env().run() as run:
                    run.log_call("t", {"place": 0})
                    target = work if sys.argv[1] == "fork" else own
                    all = [way.Process(target=target, args=[n]) for n in (1, 2, 3)]
                    for each in all:
                        each.start()
                    for each in all:
                        each.join()
                    run.log_call("t", {"place": 4})
            """
        )
    )
    subprocess.run(
        [sys.executable, str(file), way],
        env={**os.environ, "AGENTDB_DSN": dsn, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=60,
    )
    assert sorted(places(db)) == [0, 1, 2, 3, 4]


def test_fork_that_leaves_the_blocks_takes_nothing_of_the_parent_with_it(
    db: Connection, dsn: str
) -> None:
    child = program(
        dsn,
        """
        import threading
        def fork():
            if (pid := os.fork()) == 0:
                sys.exit(0)
            os.waitpid(pid, 0)
        with agent.run() as run, run.lock("l") as lock, run.tokens(100) as spent:
            spent.set(input=7, output=1)
            if (pid := os.fork()) == 0:
                sys.exit(0)
            os.waitpid(pid, 0)
            thread = threading.Thread(target=fork)
            thread.start()
            thread.join()
            (own,) = [each for each in run.budget() if each["scope"] == "run"]
            print(own["reserved"], lock.lost.is_set(), lock.release())
        """,
    )
    said = child.communicate()[0]
    assert child.returncode == 0
    assert said == "100 False True\n"
    assert value(db, "select outcome from agentdb.run") == "succeeded"
    assert value(db, "select sum(input_tokens)::int from agentdb.token_log") == 7


def test_interpreter_that_ends_in_the_midst_of_work_says_nothing(
    db: Connection, dsn: str
) -> None:
    """Threads of the program and ours are at work when it comes to the end."""
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            "import threading\nfrom agentdb import Agent\n"
            "run = Agent.from_env().run().__enter__()\n"
            "def work():\n"
            "    for place in range(3000):\n"
            "        run.log_call('t', {'place': place})\n"
            "threading.Thread(target=work).start()\n"
            "threading.Thread(target=work, daemon=True).start()\n",
        ],
        env={**os.environ, "AGENTDB_DSN": dsn},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (child.returncode, child.stderr) == (0, "")
    assert set(places(db)) == set(range(3000))


def test_events_are_bounded_while_the_database_is_away(dsn: str) -> None:
    child = program(
        dsn.replace("port=", "port=1"),
        """
        import logging, resource
        logging.disable()
        with agent.run() as run:
            for round in range(2):
                for place in range(100_000):
                    run.log_call("t", {"place": place, "text": "x" * 2000})
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                first = peak if round == 0 else first
            print(peak - first, len(run._log._events), run._log.dropped)
        """,
    )
    grown, kept, dropped = map(int, child.communicate()[0].split())
    assert child.returncode == 0
    assert grown < 8 * 1024
    assert kept + dropped == 200_000
    assert kept <= 10_000
