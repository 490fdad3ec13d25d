"""The client of a program: what it does is recorded once, whatever happens to it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from pg8000 import dbapi
from sqlalchemy import create_engine

from agentdb import Agent
from agentdb.client import (
    BudgetRefused,
    Limits,
    Looping,
    Redaction,
    Unreachable,
    Usage,
)
from agentdb.client.usage import usage_of
from agentdb.errors import FenceLost, LockInUse, NotAnAgent, Stopped

from .agents import evaluate, register, row, rows, value
from .conftest import Connection
from .scene import until
from .servers import Server


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    register(db)
    return server.dsn(database=db.info.dbname, user="agent_a")


@pytest.fixture
def agent(dsn: str) -> Agent:
    return Agent(dsn, limits=Limits(window=0.05))


def calls(db: Connection) -> list[dict[str, Any]]:
    return rows(
        db,
        "select tool, args, ok, error, result_size from agentdb.tool_call_log order by 1",
    )


def test_run_is_recorded_from_start_to_end(db: Connection, agent: Agent) -> None:
    with agent.run(
        "invoices of May", tick_interval="15 min", on_behalf_of="ticket 4711"
    ) as run:
        run.progress("found", invoices=3)
        assert run.call("add", {"a": 1}, lambda: 1 + 1) == 2
        run.log_tokens(Usage(10, 5, cached_input=3, model="m"))
    ended = row(db, "select * from agentdb.run_summary")
    assert (ended["state"], ended["purpose"]) == ("succeeded", "invoices of May")
    assert ended["on_behalf_of"] == "ticket 4711"
    assert calls(db) == [
        {"tool": "add", "args": {"a": 1}, "ok": True, "error": None, "result_size": 1}
    ]
    assert row(db, "select step, details from agentdb.progress_log") == {
        "step": "found",
        "details": {"invoices": 3},
    }
    assert row(
        db, "select input_tokens, cached_input_tokens, model from agentdb.token_log"
    ) == {"input_tokens": 10, "cached_input_tokens": 3, "model": "m"}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(ValueError("no"), "failed"), (KeyboardInterrupt(), "cancelled")],
)
def test_run_that_raises_ends_as_that(
    db: Connection, agent: Agent, error: BaseException, outcome: str
) -> None:
    with pytest.raises(type(error)), agent.run() as run:
        run.call("t", None, lambda: 1)
        raise error
    assert value(db, "select outcome from agentdb.run") == outcome
    assert len(calls(db)) == 1


def test_call_that_raises_is_one_that_failed(db: Connection, agent: Agent) -> None:
    def fail() -> None:
        raise LookupError("550 no such user")

    with agent.run() as run, pytest.raises(LookupError):
        run.call("send", {"to": "x"}, fail, call_id="c1")
    assert calls(db)[0]["error"] == "550 no such user"


def test_each_shape_of_a_tool_is_one_call(db: Connection, agent: Agent) -> None:
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return x

    def parts(n: int) -> Iterator[str]:
        for place in range(n):
            yield str(place)

    async def stream(n: int) -> AsyncIterator[str]:
        for place in range(n):
            yield str(place)

    with agent.run() as run:
        assert asyncio.run(run.tool(later)(5)) == 5
        assert list(run.tool(parts)(3)) == ["0", "1", "2"]

        async def read() -> list[str]:
            return [part async for part in run.tool(stream)(2)]

        assert asyncio.run(read()) == ["0", "1"]
        broken = run.tool(parts, name="left early")(9)
        next(broken)
        broken.close()
    assert [(each["tool"], each["args"], each["ok"]) for each in calls(db)] == [
        ("later", {"x": 5}, True),
        ("left early", {"n": 9}, True),
        ("parts", {"n": 3}, True),
        ("stream", {"n": 2}, True),
    ]


def test_calls_of_many_threads_are_all_there_once(db: Connection, agent: Agent) -> None:
    with agent.run() as run:

        def work(thread: int) -> None:
            for place in range(50):
                run.call("t", {"thread": thread, "place": place}, lambda: None)

        threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert value(db, "select count(distinct args) from agentdb.tool_call_log") == 400
    assert value(db, "select count(*) from agentdb.tool_call_log") == 400


def test_same_call_id_is_counted_once(db: Connection, agent: Agent) -> None:
    with agent.run() as run:
        for _ in range(3):
            run.call("t", None, lambda: None, call_id="c1")
    assert len(calls(db)) == 1


def test_log_survives_the_rollback_of_the_program(
    db: Connection, agent: Agent, dsn: str
) -> None:
    with (
        agent.run() as run,
        psycopg.connect(dsn) as session,
        session.transaction(force_rollback=True),
    ):
        session.execute("create temp table t (i int)")
        run.call("t", None, lambda: None)
    assert len(calls(db)) == 1


def test_stop_is_known_within_seconds_and_raised_at_the_next_call(
    db: Connection, agent: Agent
) -> None:
    done = []
    with pytest.raises(Stopped, match="enough"), agent.run() as run:
        db.execute("select agentdb.kill_run(%s, 'enough')", [run.id])
        until(lambda: run._log.stopped is not None)
        run.call("t", None, lambda: done.append(1))
    assert done == []


def test_pause_is_raised_until_it_is_over(db: Connection, agent: Agent) -> None:
    with agent.run() as run:
        db.execute("select agentdb.pause_agent('a', 'deploy')")
        until(lambda: run._log.stopped is not None)
        run.progress("kept meanwhile")
        db.execute("select agentdb.resume_agent('a', 'deployed')")
        until(lambda: run._log.stopped is None)
        run.check()
    assert value(db, "select step from agentdb.progress_log") == "kept meanwhile"


def test_tokens_are_reserved_and_settled(db: Connection, agent: Agent) -> None:
    response = {
        "model": "m-1",
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }
    with agent.run() as run:
        with run.tokens(6000) as spent:
            assert (
                value(db, "select sum(tokens) from agentdb.token_reservation") == 6000
            )
            spent.usage(response)
        assert row(
            db,
            "select input_tokens, cached_input_tokens, output_tokens, reasoning_tokens"
            " from agentdb.token_log",
        ) == {
            "input_tokens": 60,
            "cached_input_tokens": 40,
            "output_tokens": 7,
            "reasoning_tokens": 2,
        }
        with pytest.raises(RuntimeError), run.tokens(100):
            raise RuntimeError("the provider is down")
        assert {each["reserved"] for each in run.budget()} == {0}


def test_budget_that_is_too_low_is_refused_with_advice(agent: Agent) -> None:
    with (
        agent.run() as run,
        pytest.raises(BudgetRefused, match="500000") as refused,
        run.tokens(600_000),
    ):
        raise AssertionError("it was let through")
    assert refused.value.hint


def test_lock_is_renewed_and_given_back(db: Connection, agent: Agent) -> None:
    with agent.run() as run:
        with run.lock("nightly", ttl="1 second") as lock:
            query = "select renewals from agentdb.lock where lock_name = 'nightly'"
            until(lambda: value(db, query) >= 2)
            assert not lock.lost.is_set()
        state = "select state from agentdb.lock_status where lock_name = 'nightly'"
        assert value(db, state) == "free"


def test_lock_that_is_held_is_refused_and_one_that_is_lost_stops_the_calls(
    db: Connection, agent: Agent, server: Server
) -> None:
    register(db, "b", "agent_b")
    other = Agent(server.dsn(database=db.info.dbname, user="agent_b"))
    with agent.run() as run, run.lock("nightly", ttl="1 second") as lock:
        with other.run() as theirs, pytest.raises(LockInUse, match="run"):
            theirs.lock("nightly")
        db.execute("select agentdb.force_release_lock('nightly', 'needed')")
        assert lock.lost.wait(20)
        with pytest.raises(FenceLost):
            run.call("t", None, lambda: None)


def test_claims_are_made_by_key(db: Connection, agent: Agent) -> None:
    db.execute(
        "create table public.item (id int primary key); insert into item values (1);"
        "grant select, delete on item to agent_a; select agentdb.audit_table('item')"
    )
    with agent.run() as run:
        claim = run.claim_rows("public.item", "delete", keys=[1])
        assert run.claim_file("/nowhere/at/all") == claim + 1
    assert value(db, "select expectation -> 'keys' from agentdb.claim limit 1") == [
        {"id": 1}
    ]


def test_question_is_answered(db: Connection, agent: Agent) -> None:
    with agent.run() as run:
        question = run.ask("Which?", ["left", "right"])
        assert run.answer(question) is None
        db.execute("select agentdb.answer_question(%s, 'left')", [question])
        assert run.answer(question) == "left"


def test_agents_behind_one_role_are_known_by_secret(
    db: Connection, server: Server
) -> None:
    query = "select secret from agentdb.register_agent(%s, 'agent_b', pooled => true)"
    secret = value(db, query, "one")
    value(db, query, "two")
    dsn = server.dsn(database=db.info.dbname, user="agent_b")
    with pytest.raises(NotAnAgent), Agent(dsn, name="two", secret=secret).run():
        pass
    with Agent(dsn, name="one", secret=secret).run() as run:
        run.call("t", {"a": 1}, lambda: None)
        with run.tokens(10) as spent:
            spent.set(input=5, output=1)
        assert len(run.budget()) == 4
    assert len(calls(db)) == 1
    assert value(db, "select agent_name from agentdb.run_summary") == "one"


@pytest.mark.parametrize("driver", ["pg8000", "sqlalchemy"])
def test_other_drivers_do_the_same(db: Connection, dsn: str, driver: str) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(dsn)

    def pg8000() -> Any:
        return dbapi.connect(
            "agent_a",
            database=parts["dbname"],
            unix_sock=f"{parts['host']}/.s.PGSQL.{parts['port']}",
        )

    engine = create_engine("postgresql+pg8000://", creator=pg8000)
    connect = pg8000 if driver == "pg8000" else engine.raw_connection
    with Agent(connect=connect).run("x") as run:
        run.call("t", {"a": None}, lambda: "r")
        with run.tokens(10) as spent, run.lock("l"):
            spent.set(input=5, output=1)
        assert run.spawn_token()
    engine.dispose()
    assert len(calls(db)) == 1
    assert value(db, "select outcome from agentdb.run") == "succeeded"


SECRETS = {
    "openai": "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789",
    "anthropic": "sk-ant-api03-abcdefghijklmnopqrstuvwxyz",
    "github": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "gitlab": "glpat-abcdefghijklmnopqrst",
    "aws": "AKIAABCDEFGHIJKLMNOP",
    "google": "AIza" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R",
    "slack": "xoxb-123456789012-abcdefghijkl",
    "stripe": "sk_live_abcdefghijklmnopqrstuvwx",
    "sendgrid": "SG.abcdefghijklmnopqrst.uvwxyz0123456789abcd",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.c2lnbmF0dXJl",
    "pem": "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----",
    "address": "postgresql://app:hunter22x@db.example/app",
}


def test_planted_secrets_are_found_nowhere(db: Connection, dsn: str) -> None:
    agent = Agent(dsn, redaction=Redaction((r"CANARY\d+",), ("user.iban", "pay:to")))
    parts = {"address": "hunter22x", "pem": "MIIabc"}
    with pytest.raises(ValueError), agent.run() as run:
        for name, secret in SECRETS.items():
            run.log_call(f"tool {name}", {"q": f"see {secret}"}, result=secret)
            run.log_call("t", {"deep": [{secret: secret}]}, error=f"bad {secret}")
            run.progress(f"with {secret}", note=secret)
        run.log_call("t", {"password": "plain1", "api_key": "plain2", "x": "CANARY7"})
        run.log_call("t", {"user": {"iban": "plain3"}})
        run.log_call("pay", {"to": "plain4", "max_tokens": 5})
        raise ValueError(SECRETS["github"])
    stored = value(
        db,
        "select string_agg(t.row, ' ') from ("
        " select l::text as row from agentdb.tool_call_log as l"
        " union all select p::text from agentdb.progress_log as p"
        " union all select r::text from agentdb.run as r) as t",
    )
    for name, secret in SECRETS.items():
        assert parts.get(name, secret) not in stored, name
    for canary in ("plain1", "plain2", "plain3", "plain4", "CANARY7"):
        assert canary not in stored
    query = "select args ->> 'max_tokens' from agentdb.tool_call_log where tool = 'pay'"
    assert value(db, query) == "5"


def test_database_that_is_away_breaks_no_agent(dsn: str) -> None:
    away = dsn.replace("port=", "port=1")
    with Agent(away).run() as run:
        assert run.call("t", None, lambda: 7) == 7
        with run.tokens(10) as spent:
            spent.set(input=5, output=1)
    with pytest.raises(Unreachable), Agent(away, fail_closed=True).run():
        raise AssertionError("it began")


def test_what_was_kept_while_the_database_was_away_is_recorded(
    db: Connection, agent: Agent, dsn: str
) -> None:
    doors = {"open": False}

    def connect() -> Any:
        if not doors["open"]:
            raise OSError("no route")
        return psycopg.connect(dsn, autocommit=True)

    late = Agent(connect=connect, limits=Limits(window=0.05, events=3))
    with late.run("late") as run:
        for place in range(5):
            run.call("t", {"place": place}, lambda: None)
        doors["open"] = True
    assert [each["args"]["place"] for each in calls(db)] == [0, 1, 2]
    until(lambda: value(db, "select count(*) from agentdb.progress_log") == 1)
    assert value(db, "select details from agentdb.progress_log") == {"dropped": 2}


def test_connection_that_breaks_is_replaced_and_nothing_is_twice(
    db: Connection, agent: Agent
) -> None:
    with agent.run() as run:
        for place in range(30):
            run.progress(f"step {place}")
            run.log_tokens(Usage(1, 1))
            if place % 5 == 0:
                db.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where usename = 'agent_a' and datname = current_database()"
                )
            time.sleep(0.03)
    assert value(db, "select count(distinct step) from agentdb.progress_log") == 30
    assert value(db, "select count(*) from agentdb.progress_log") == 30
    assert value(db, "select count(*) from agentdb.token_log") == 30


def test_event_that_the_database_refuses_keeps_no_other_back(
    db: Connection, agent: Agent
) -> None:
    with agent.run() as run:
        run.progress("one")
        run.log_call("", {"no": "name"})
        run.progress("two")
    steps = rows(db, "select step from agentdb.progress_log order by 1")
    assert [each["step"] for each in steps][-2:] == ["one", "two"]


def test_loop_that_people_were_alerted_to_is_raised_once(
    db: Connection, agent: Agent
) -> None:
    with agent.run() as run:
        for _ in range(12):
            run.call("search", {"q": "May"}, lambda: "nothing")
        run._log.flush()
        evaluate(db)
        until(lambda: run._log._looping is not None)
        with pytest.raises(Looping, match="search") as looping:
            run.call("search", {"q": "May"}, lambda: "nothing")
        assert "another way" in looping.value.hint
        assert run.call("other", {"q": "June"}, lambda: "found") == "found"


def test_an_answer_of_a_model_is_counted_once_whoever_tells_of_it(
    db: Connection, agent: Agent
) -> None:
    answer = {
        "id": "chatcmpl-0123456789abcdef",
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
    }
    # Some servers count their answers from 1, and begin anew.
    short = {**answer, "id": "chatcmpl-1"}
    with agent.run("once") as run:
        for _ in range(2):
            run.log_tokens(usage_of(answer))
            run.log_tokens(usage_of(short))
        with run.tokens(100) as tokens:
            tokens.usage(answer)
    assert value(db, "select sum(input_tokens) from agentdb.token_log") == 30
    settled = "select count(*) from agentdb.token_reservation where settled_at is null"
    assert value(db, settled) == 0


@pytest.mark.parametrize("said", [None, 7, "", "a b", "x\ny", "\u202e", "x" * 201])
def test_what_is_no_name_of_an_answer_costs_no_tokens(
    db: Connection, agent: Agent, said: Any
) -> None:
    answer = {"id": said, "usage": {"prompt_tokens": 10, "completion_tokens": 5}}
    with agent.run("once") as run:
        run.log_tokens(usage_of(answer))
    assert value(db, "select sum(input_tokens) from agentdb.token_log") == 10
