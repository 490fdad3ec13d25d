"""Processes of agents that end, fork and are killed: what is recorded is a prefix."""

from __future__ import annotations

import asyncio
import os
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

from .agents import register, row, rows, value
from .conftest import Connection
from .scene import until
from .servers import Server

ROOT = Path(__file__).parent.parent
KILLS = int(os.environ.get("AGENTDB_KILLS", "8"))


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


def places(db: Connection) -> list[int]:
    found = rows(
        db,
        "select (args ->> 'place')::int as n from agentdb.tool_call_log"
        " order by tool_call_log_id",
    )
    return [each["n"] for each in found]


def test_killed_process_leaves_a_prefix_of_what_happened(
    db: Connection, dsn: str
) -> None:
    """No call is missing before one that is there, none is twice."""
    for _ in range(KILLS):
        before = len(places(db))
        child = program(
            dsn,
            """
            run = agent.run().__enter__()
            for place in range(1_000_000):
                run.log_call("t", {"place": place})
                print(place, flush=True)
                time.sleep(0.001)
            """,
        )
        assert child.stdout
        for _ in range(700):
            assert child.stdout.readline()
        child.kill()
        child.wait()
        child.stdout.close()
        there = places(db)[before:]
        assert there == list(range(len(there)))


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
            async with await run.lock("l") as lock:
                assert not lock.lost.is_set()
            with pytest.raises(BudgetRefused):
                async with run.tokens(10**9):
                    raise AssertionError("it was let through")
            question = await run.ask("Which?")
            assert await run.answer(question) is None
            assert len(await run.budget()) == 3
            run.progress("done")

    asyncio.run(work())
    assert value(db, "select count(*) from agentdb.tool_call_log") == 21
    assert row(db, "select state, on_behalf_of from agentdb.run_summary") == {
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
