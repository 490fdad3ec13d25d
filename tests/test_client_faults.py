"""The client while its database hangs, dies and refuses, and while it is misused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from pg8000 import dbapi
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from sqlalchemy import create_engine, text

from agentdb import Agent, AsyncAgent
from agentdb.client import BudgetRefused, Busy, Limits, Run, Unreachable, Usage
from agentdb.client.held import Lost
from agentdb.client.log import BATCH
from agentdb.errors import (
    AlreadyExists,
    FenceLost,
    InvalidArgument,
    NoRun,
    RunClosed,
    Stopped,
)

from .agents import register, row, rows, value
from .conftest import Connection
from .relay import Relay
from .scene import until
from .servers import Server

QUICK = Limits(window=0.05, patience=1)


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    register(db)
    return server.dsn(database=db.info.dbname, user="agent_a")


@pytest.fixture
def agent(dsn: str) -> Agent:
    return Agent(dsn, limits=QUICK)


@pytest.fixture
def relay(dsn: str) -> Iterator[Relay]:
    parts = conninfo_to_dict(dsn)
    with Relay(str(parts["host"]), int(str(parts["port"]))).relaying() as relay:
        yield relay


@pytest.fixture
def far(db: Connection, relay: Relay) -> Agent:
    """An agent behind a network that can hang."""
    return Agent(relay.dsn(db.info.dbname, "agent_a"), limits=QUICK)


def places(db: Connection) -> list[int]:
    found = rows(
        db,
        "select (args ->> 'place')::int as n from agentdb.tool_call_log"
        " order by tool_call_log_id",
    )
    return [each["n"] for each in found]


def steps(db: Connection) -> list[str]:
    found = rows(db, "select step from agentdb.progress_log order by progress_log_id")
    return [each["step"] for each in found]


# A database that answers nothing.


def test_server_that_hangs_from_the_start_breaks_no_agent(
    far: Agent, relay: Relay
) -> None:
    relay.flowing.clear()
    with far.run() as run:
        assert run.call("t", None, lambda: 7) == 7
        with run.tokens(10) as spent:
            spent.set(input=5, output=1)


def test_server_that_hangs_later_breaks_no_agent_and_loses_nothing_once_it_answers(
    db: Connection, far: Agent, relay: Relay
) -> None:
    with far.run() as run:
        run.call("t", {"place": 0}, lambda: None)
        until(lambda: places(db) == [0])
        relay.flowing.clear()
        for place in range(1, 50):
            run.call("t", {"place": place}, lambda: None)
        with pytest.raises(Unreachable) as away:
            run.claim_file("/x")
        assert away.value.hint
        relay.flowing.set()
    assert places(db) == list(range(50))


def test_server_that_hangs_at_the_end_holds_nobody_back(
    far: Agent, relay: Relay
) -> None:
    with far.run() as run, run.lock("l"):
        run.call("t", None, lambda: None)
        relay.flowing.clear()
    assert threading.active_count() >= 1
    with pytest.raises(RunClosed):
        run.check()


def test_other_driver_with_a_timeout_of_its_own_hangs_no_more(
    db: Connection, relay: Relay
) -> None:
    parts = conninfo_to_dict(relay.dsn(db.info.dbname, "agent_a"))

    def connect() -> Any:
        return dbapi.connect(
            "agent_a", host="127.0.0.1", port=int(str(parts["port"])),
            database=db.info.dbname, timeout=1,
        )  # fmt: skip

    with Agent(connect=connect, limits=QUICK).run() as run:
        run.call("t", {"place": 0}, lambda: None)
        until(lambda: places(db) == [0])
        relay.flowing.clear()
        run.call("t", {"place": 1}, lambda: None)
        with pytest.raises(Unreachable):
            run.claim_file("/x")
        relay.flowing.set()
    assert places(db) == [0, 1]


def test_agent_that_fails_closed_is_told_when_the_server_hangs(
    db: Connection, relay: Relay
) -> None:
    relay.flowing.clear()
    dsn = relay.dsn(db.info.dbname, "agent_a")
    closed = Agent(dsn, limits=QUICK, fail_closed=True)
    with pytest.raises(Unreachable, match="cannot be reached"), closed.run():
        raise AssertionError("it began")


def test_lock_is_lost_when_its_time_is_over_though_nobody_answers(
    far: Agent, relay: Relay
) -> None:
    with far.run() as run, run.lock("l", ttl="2 seconds") as lock:
        relay.flowing.clear()
        assert lock.lost.wait(30)
        with pytest.raises(FenceLost):
            run.call("t", None, lambda: None)
        relay.flowing.set()


def test_settlement_without_an_answer_counts_once(
    db: Connection, agent: Agent, dsn: str
) -> None:
    """The server has settled, and the connection breaks before it can say so."""
    with agent.run() as run:
        with run.tokens(100) as spent:
            spent.set(input=50, output=5)
            query = "select agentdb.settle_tokens(%s, 50, 5, run => %s)"
            with psycopg.connect(dsn, autocommit=True) as other:
                other.execute(query, [spent._reservation, run.id])
            ask = run._session.rows
            run._session.rows = broken(ask)  # type: ignore[method-assign]
        run._session.rows = ask  # type: ignore[method-assign]
        until(lambda: not run._log._events)
        assert {each["reserved"] for each in run.budget()} == {0}
    used = "select sum(input_tokens)::int as n from agentdb.token_log"
    assert row(db, used) == {"n": 50}


def broken(ask: Any) -> Any:
    def rows(*args: Any) -> Any:
        from agentdb.client.session import Away

        raise Away("the connection broke")

    return rows


def test_idle_connection_that_was_cut_is_replaced_before_it_is_used(
    db: Connection, agent: Agent
) -> None:
    with agent.run() as run:
        db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'agent_a' and datname = current_database()"
        )
        run._session._used -= 60
        assert run.claim_file("/x") > 0


# An event that is refused, among others.


def test_events_after_and_before_one_that_is_refused_are_recorded_once_though_it_breaks(
    db: Connection, agent: Agent
) -> None:
    """The connection is cut again and again, while events go one by one."""
    with agent.run() as run:
        for place in range(BATCH):
            run.progress(f"step {place}")
            if place % 50 == 7:
                run.log_call("", {"no": "name"})
        for _ in range(8):
            db.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where usename = 'agent_a' and datname = current_database()"
            )
        run._log.flush(60)
    found = [step for step in steps(db) if step.startswith("step")]
    assert found == [f"step {place}" for place in range(BATCH)]
    assert row(
        db,
        "select sum((details ->> 'dropped')::int)::int as n from agentdb.progress_log",
    ) == {"n": 10}


def test_event_that_takes_too_long_keeps_no_other_back(
    db: Connection, agent: Agent
) -> None:
    db.execute("alter role agent_a set statement_timeout = '300ms'")
    try:
        with agent.run() as run:
            run.progress("before")
            run._log.flush()
            with db.transaction():
                db.execute("lock table agentdb.tool_call_log in exclusive mode")
                run.log_call("t", {"place": 1})
                run.progress("after")
                until(lambda: "after" not in [each.text for each in run._log._events])
                until(lambda: not run._log._events)
    finally:
        db.execute("alter role agent_a reset statement_timeout")
    assert {"before", "after"} <= set(steps(db))


# Misuse.


def test_run_that_has_not_begun_says_so(db: Connection, agent: Agent) -> None:
    run = agent.run()
    for use in (
        lambda: run.call("t", None, lambda: None),
        lambda: run.progress("s"),
        lambda: run.log_tokens(Usage(1, 1)),
        lambda: run.lock("l"),
        lambda: run.tokens(5).__enter__(),
        run.budget,
    ):
        with pytest.raises(NoRun) as refused:
            use()
        assert "with agent.run()" in refused.value.hint
    run.end()
    assert value(db, "select count(*) from agentdb.run") == 0


def test_run_that_has_ended_says_so_and_ends_once(db: Connection, agent: Agent) -> None:
    with agent.run() as run:
        run.end("failed", "on purpose")
        run.end("succeeded")
    run.end()
    with pytest.raises(RunClosed):
        run.call("t", None, lambda: None)
    with pytest.raises(RunClosed):
        run.budget()
    with pytest.raises(AlreadyExists):
        run.__enter__()
    # What outlives the run must not fail for it.
    run.progress("too late")
    assert row(db, "select outcome, summary from agentdb.run") == {
        "outcome": "failed", "summary": "on purpose",
    }  # fmt: skip
    assert [each.name for each in threading.enumerate() if "agentdb" in each.name] == []


def test_killed_run_ends_its_blocks_with_what_was_raised_within(
    db: Connection, agent: Agent
) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        agent.run() as run,
        run.lock("a"),
        run.tokens(100),
        run.lock("b"),
        run.tokens(100) as spent,
    ):
        spent.set(input=1, output=1)
        db.execute("select agentdb.kill_run(%s, 'enough')", [run.id])
        until(lambda: run.stopped is not None)
        raise ZeroDivisionError
    assert not run._log._events
    run.log_call("after", None)
    assert [each.name for each in threading.enumerate() if "agentdb" in each.name] == []
    assert value(db, "select count(*) from agentdb.lock where run_id is not null") == 0


def test_killed_run_that_works_on_starts_no_thread_for_each_call(
    db: Connection, agent: Agent
) -> None:
    with pytest.raises(Stopped), agent.run() as run:
        db.execute("select agentdb.kill_run(%s, 'enough')", [run.id])
        until(lambda: run.stopped is not None)
        until(lambda: run._log._thread and not run._log._thread.is_alive())
        last = run._log._thread
        for _ in range(100):
            run.log_call("t", None)
        assert not run._log._events
        assert run._log._thread is last
        run.check()


def test_tokens_entered_twice_are_two_prompts(db: Connection, agent: Agent) -> None:
    with agent.run() as run:
        tokens = run.tokens(100)
        with tokens as spent:
            spent.set(input=50, output=5)
        with pytest.raises(ValueError), tokens:
            raise ValueError
        with pytest.raises(BudgetRefused), run.tokens(10**9):
            pass
    assert value(db, "select sum(input_tokens)::int from agentdb.token_log") == 50


def test_exit_without_error_is_a_success(db: Connection, agent: Agent) -> None:
    for code, outcome in ((0, "succeeded"), (None, "succeeded"), (3, "failed")):
        with pytest.raises(SystemExit), agent.run() as run:
            raise SystemExit(code)
        query = "select outcome from agentdb.run where run_id = %s"
        assert value(db, query, run.id) == outcome


def test_two_runs_of_one_agent_are_kept_apart(db: Connection, agent: Agent) -> None:
    with agent.run("outer") as outer, agent.run("inner") as inner:
        for run in (outer, inner, outer):
            run.call("t", {"place": run.id}, lambda: None)
            with run.tokens(10) as spent:
                spent.set(input=1, output=1)
        assert inner.claim_file("/x") != outer.claim_file("/x")
        with inner.lock("l"), pytest.raises(Exception, match="held"):
            outer.lock("l")
    counts = rows(
        db, "select run_id, count(*) as n from agentdb.tool_call_log group by 1"
    )
    assert {each["run_id"]: each["n"] for each in counts} == {outer.id: 2, inner.id: 1}


# What a tool is given and gives.


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_no_tool_fails_for_being_recorded(db: Connection, agent: Agent) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

    with agent.run() as run:
        assert isinstance(run.tool(lambda x: x, name="odd")(Odd()), Odd)
        nan = float("nan")
        assert run.tool(lambda x: x, name="nan")(nan) is nan
        assert len(run.tool(lambda x: x * 10**7, name="large")("x")) == 10**7
        read = iter("abc")
        assert run.tool("".join, name="read")(read) == "abc"
        with pytest.raises(Mute):
            run.tool(mute)()
        assert run.tool(dict, name="built in")(a=1) == {"a": 1}
    found = rows(db, "select tool, ok, result_size, error from agentdb.tool_call_log")
    assert {each["tool"]: each["ok"] for each in found} == {
        "odd": True, "nan": True, "large": True, "read": True, "mute": False,
        "built in": True,
    }  # fmt: skip
    sizes = {each["tool"]: each["result_size"] for each in found}
    assert sizes["large"] == 10**7
    assert value(db, "select error from agentdb.tool_call_log where not ok") == "Mute"


def mute() -> None:
    raise Mute


def test_arguments_are_recorded_as_they_were_given(
    db: Connection, agent: Agent
) -> None:
    def consume(items: list[int]) -> None:
        items.clear()

    with agent.run() as run:
        run.tool(consume)([1, 2])
    assert value(db, "select args from agentdb.tool_call_log") == {"items": [1, 2]}


def test_claim_with_a_secret_is_not_sent(db: Connection, agent: Agent) -> None:
    with agent.run() as run:
        with pytest.raises(InvalidArgument, match="secret"):
            run.claim_http("https://ada:hunter22x@shop.example/")
        run.ask("Is sk-proj-abcdefghijklmnopqrstuvwxyz0123456789 right?")
        step = {"step": "with ghp_abcdefghijklmnopqrstuvwxyz0123456789"}
        run.ask_function("log_progress", step, {"step": "text"})
    assert value(db, "select step from agentdb.progress_log") == "with [secret]"
    assert value(db, "select count(*) from agentdb.claim") == 0
    assert "[secret]" in value(db, "select question from agentdb.question")


def test_generator_stays_one(db: Connection, agent: Agent) -> None:
    """What is sent, thrown, returned and closed goes to it and comes from it."""
    heard: list[Any] = []

    def echo(n: int) -> Iterator[Any]:
        sent = yield "first"
        heard.append(sent)
        try:
            yield "second"
        except ValueError as error:
            heard.append(error)
        try:
            yield "third"
        finally:
            heard.append("closed")
        return

    def gives_back() -> Generator[int, None, int]:
        yield 1
        return 5

    with agent.run() as run:
        generator: Any = run.tool(echo)(1)
        assert next(generator) == "first"
        assert generator.send("hello") == "second"
        assert generator.throw(ValueError("x")) == "third"
        generator.close()
        assert [str(each) for each in heard] == ["hello", "x", "closed"]

        def delegates() -> Any:
            return (yield from run.tool(gives_back)())

        outer = delegates()
        assert next(outer) == 1
        with pytest.raises(StopIteration) as stopped:
            next(outer)
        assert stopped.value.value == 5
    found = rows(db, "select tool, ok from agentdb.tool_call_log order by 1")
    assert found == [{"tool": "echo", "ok": True}, {"tool": "gives_back", "ok": True}]


def test_generator_that_nobody_ends_is_recorded_and_bounded(
    db: Connection, agent: Agent
) -> None:
    """Collected as garbage; what it gave is kept as a hash."""

    def parts() -> Iterator[str]:
        while True:
            yield "x" * 1_000_000

    with agent.run() as run:
        generator = run.tool(parts)()
        for _ in range(200):
            next(generator)
        del generator
    assert value(db, "select result_size from agentdb.tool_call_log") == 200_000_000


def test_asynchronous_generator_stays_one(db: Connection, agent: Agent) -> None:
    heard: list[Any] = []

    async def echo() -> AsyncIterator[Any]:
        heard.append((yield "first"))
        try:
            yield "second"
        except ValueError as error:
            heard.append(error)
        try:
            yield "third"
        finally:
            heard.append("closed")

    async def main(run: Any) -> None:
        generator = run.tool(echo)()
        assert await anext(generator) == "first"
        assert await generator.asend("hello") == "second"
        assert await generator.athrow(ValueError("x")) == "third"
        await generator.aclose()
        task = run.call("task", None, lambda: asyncio.ensure_future(asyncio.sleep(0)))
        assert isinstance(task, asyncio.Task)
        await task
        cancelled = run.call(
            "cancelled", None, lambda: asyncio.ensure_future(asyncio.sleep(60))
        )
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled

    with agent.run() as run:
        asyncio.run(main(run))
    assert [str(each) for each in heard] == ["hello", "x", "closed"]
    found = rows(db, "select tool, ok from agentdb.tool_call_log order by 1")
    assert found == [
        {"tool": "cancelled", "ok": False},
        {"tool": "echo", "ok": True},
        {"tool": "task", "ok": True},
    ]


def test_task_cancelled_while_it_waits_for_the_database_leaves_nothing_behind(
    db: Connection, far: Agent, relay: Relay
) -> None:
    async def cancelled(entering: Any) -> None:
        relay.flowing.clear()
        task = asyncio.ensure_future(entering)
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        relay.flowing.set()

    async def main() -> None:
        agent = AsyncAgent(relay.dsn(db.info.dbname, "agent_a"), limits=QUICK)
        await cancelled(agent.run("never").__aenter__())
        async with agent.run("works") as run:
            await cancelled(run.lock("l"))
            await cancelled(run.tokens(50).__aenter__())
            held = "select count(*) from agentdb.lock where run_id is not null"
            until(lambda: value(db, held) == 0 and not run.sync._held)
            until(lambda: {each["reserved"] for each in run.sync.budget()} == {0})

    asyncio.run(main())
    until(
        lambda: value(db, "select count(*) from agentdb.run where outcome is null") == 0
    )


# Connections of others.


def test_connection_of_an_engine_is_not_given_back_to_its_pool(
    db: Connection, dsn: str
) -> None:
    """It commits by itself: whoever got it next could roll nothing back."""
    parts = conninfo_to_dict(dsn)

    def connect() -> Any:
        return dbapi.connect(
            "agent_a",
            database=parts["dbname"],
            unix_sock=f"{parts['host']}/.s.PGSQL.{parts['port']}",
        )

    db.execute("create table public.kept (i int); grant all on kept to agent_a")
    engine = create_engine("postgresql+pg8000://", creator=connect, pool_size=1)
    with Agent(connect=engine.raw_connection).run() as run:
        run.call("t", None, lambda: None)
    with engine.connect() as connection:
        connection.execute(text("insert into public.kept values (1)"))
        connection.rollback()
    engine.dispose()
    assert value(db, "select count(*) from public.kept") == 0


def test_rows_of_any_shape_are_read_by_name(db: Connection, dsn: str) -> None:
    def connect() -> Any:
        return psycopg.connect(dsn, row_factory=dict_row)

    with Agent(connect=connect).run() as run:
        assert run.id == value(db, "select run_id from agentdb.run")
        assert {each["scope"] for each in run.budget()} == {
            "run", "tree", "conversation", "agent_day",
        }  # fmt: skip


# A database in which others are at what is needed.


@pytest.fixture
def patient(dsn: str) -> Agent:
    """An agent that waits for as long as the database does."""
    return Agent(dsn, limits=Limits(window=0.05))


def reserved(db: Connection) -> int:
    return int(value(db, "select count(*) from agentdb.token_reservation"))


@contextmanager
def holding(dsn: str, query: str, *values: Any) -> Iterator[psycopg.Connection]:
    """Give a session that has done something and does not commit."""
    with psycopg.connect(dsn) as other:
        other.execute(query.encode(), values)
        yield other


def tree(dsn: str, run: Run) -> Any:
    """Hold the row of a run's tree: another of its programs is just reserving."""
    return holding(dsn, "select agentdb.reserve_tokens(1, run => %s)", run.id)


def test_budget_that_is_busy_for_a_while_is_asked_for_again(
    db: Connection, dsn: str, patient: Agent
) -> None:
    with patient.run() as run, tree(dsn, run) as other:
        ending = threading.Timer(3, other.rollback)
        ending.start()
        with run.tokens(100) as spent:
            spent.set(input=50, output=5)
        ending.join()
    used = "select sum(input_tokens)::int as n from agentdb.token_log"
    assert row(db, used) == {"n": 50}


def test_budget_that_stays_busy_says_so_and_spends_nothing(
    db: Connection, dsn: str, patient: Agent
) -> None:
    with patient.run() as run:
        with tree(dsn, run) as other:
            with (
                pytest.raises(Busy, match="the budget is busy") as error,
                run.tokens(9),
            ):
                raise AssertionError("the prompt was sent")
            assert error.value.sqlstate == "55P03"
            assert "This is no refusal" in error.value.hint
            other.rollback()
        assert reserved(db) == 0
        assert value(db, "select count(*) from agentdb.budget_refusal") == 0
        with run.tokens(9) as spent:
            spent.set(input=1, output=1)
    assert reserved(db) == 1


def test_busy_budget_is_the_same_for_who_awaits_it(
    db: Connection, dsn: str, server: Server
) -> None:
    async def main() -> None:
        async with AsyncAgent(dsn, limits=Limits(window=0.05)).run() as run:
            with tree(dsn, run.sync) as other:
                with pytest.raises(Busy):
                    await run.tokens(9).__aenter__()
                ending = threading.Timer(3, other.rollback)
                ending.start()
                async with run.tokens(9) as spent:
                    spent.set(input=1, output=1)
                ending.join()

    asyncio.run(main())
    assert reserved(db) == 1


def test_what_cannot_be_settled_or_logged_for_a_while_is_recorded_later(
    db: Connection, server: Server, patient: Agent
) -> None:
    owner = server.dsn(database=db.info.dbname)
    lock = "lock table agentdb.token_reservation, agentdb.token_log in exclusive mode"
    with patient.run() as run:
        tokens = run.tokens(100).__enter__()
        tokens.set(input=50, output=5)
        with holding(owner, lock) as other:
            run.log_tokens(Usage(7, 7))
            tokens.__exit__(None, None, None)
            assert value(db, "select count(*) from agentdb.token_log") == 0
            ending = threading.Timer(1, other.rollback)
            ending.start()
            run.end()
            ending.join()
    used = "select sum(input_tokens)::int as n from agentdb.token_log"
    assert row(db, used) == {"n": 57}


def test_lock_is_not_lost_because_others_are_at_it(
    db: Connection, server: Server, patient: Agent
) -> None:
    owner = server.dsn(database=db.info.dbname)
    with patient.run() as run, run.lock("l", ttl="15 s") as lock:
        with holding(owner, "lock table agentdb.lock in exclusive mode"):
            # Renewed after a third of its time, for which the database waits in vain.
            assert not lock.lost.wait(8)
        lost = lock.lost
        assert isinstance(lost, Lost)
        until(lambda: lost.left > 10)
        lock.check()
