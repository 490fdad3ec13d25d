"""A key that a program says by mistake is nowhere in the database afterwards."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from agentdb import Agent
from agentdb.client import AsyncAgent, Redaction, Run, Usage
from agentdb.errors import AgentdbError, InvalidArgument
from agentdb.question import ask_human
from agentdb.tool import log_tool_call

from .agents import register, value
from .changes import TABLES
from .conftest import Connection
from .planted import KEYS, everything, leaked, prose
from .servers import Server

ROOT = Path(__file__).parent.parent


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    register(db)
    return server.dsn(database=db.info.dbname, user="agent_a")


def speak_of(run: Run, name: str) -> None:
    """Say a key in every way that a program can."""
    key, said = KEYS[name], prose(name)

    def refused() -> None:
        raise ValueError(said)

    run.call("send", {"text": said, "deep": [{key: key}]}, lambda: {"token": key})
    run.call(f"tool {key}", {"n": 1}, lambda: said, call_id=key)
    with suppress(ValueError):
        run.call("fails", None, refused)
    assert list(run.call("stream", None, lambda: iter_of(said))) == [said, said]
    run.log_call("late", {"body": said}, error=said, violation=said, call_id=f"{key}-2")
    run.progress(said, details=said, by={"key": key})
    run.log_tokens(Usage(1, 1, model=key, priced_by=said))
    with run.tokens(10) as spent:
        spent.set(input=1, output=1, model=key)
    run.ask(said, [key, "no"])
    run.hold(f"{datetime.now(timezone.utc) + timedelta(minutes=5)}", said)
    for ask in (
        lambda: run.lock(key),
        lambda: run.claim_file(f"/tmp/{key}"),
        lambda: run.claim("ticket", key, note=said),
        lambda: run.claim_rows("public.t", "insert", keys=[{"id": key}]),
    ):
        with pytest.raises(InvalidArgument, match="secret"):
            ask()


def iter_of(said: str) -> Any:
    yield said
    yield said


@pytest.mark.parametrize("name", KEYS)
def test_client(db: Connection, dsn: str, name: str) -> None:
    said = prose(name)
    with (
        suppress(RuntimeError),
        Agent(dsn).run(
            said, conversation=said, on_behalf_of=said, instance=said
        ) as run,
    ):
        speak_of(run, name)
        raise RuntimeError(said)
    assert value(db, "select count(*) from agentdb.tool_call_log") == 5
    assert leaked(db) == []


def test_asynchronous_client(db: Connection, dsn: str) -> None:
    async def speak() -> None:
        async with AsyncAgent(dsn).run(" ".join(KEYS.values())) as run:
            for name, key in KEYS.items():

                async def fails(said: str = prose(name)) -> None:
                    raise ValueError(said)

                async def gives(key: str = key) -> dict[str, str]:
                    return {"password": key}

                await run.call("send", {"a": key}, gives)
                with suppress(ValueError):
                    await run.call("fails", {"a": [key]}, fails)
                run.progress(prose(name), at=key)
                await run.ask(prose(name), [key, "no"])
                with pytest.raises(AgentdbError):
                    await run.claim_file(key)

    db.execute("update agentdb.policy set max_questions = 100")
    asyncio.run(speak())
    assert value(db, "select count(*) from agentdb.tool_call_log") == 2 * len(KEYS)
    assert leaked(db) == []


def test_calls_without_a_run_of_the_client(db: Connection, agent: Connection) -> None:
    for name, key in KEYS.items():
        log_tool_call(
            agent, f"tool {key}", {"a": prose(name), "password": key}, ok=False,
            error=prose(name), result=prose(name),
        )  # fmt: skip
    db.execute("update agentdb.policy set max_questions = 100")
    for name, key in KEYS.items():
        ask_human(agent, prose(name), options=[key, "no"], timeout=0)
    assert value(db, "select count(*) from agentdb.tool_call_log") == len(KEYS)
    assert leaked(db) == []


def talk(dsn: str, words: list[str], say: Callable[[Client], Awaitable[None]]) -> None:
    """Start a command as a client of MCP does, and talk to it."""
    program = StdioServerParameters(
        command=sys.executable,
        args=["-m", "agentdb", *words],
        env={**os.environ, "AGENTDB_DSN": dsn},
        cwd=ROOT,
    )

    async def main() -> None:
        async with Client(program) as client:
            await say(client)

    asyncio.run(main())


def test_gateway(db: Connection, dsn: str) -> None:
    async def say(client: Client) -> None:
        await client.list_tools()
        for name, key in KEYS.items():
            await client.call_tool("fail", {"why": prose(name)})
            await client.call_tool(f"no such {key}", {"password": key, "n": [key]})
            await client.call_tool("add", {"a": prose(name), key: 1})

    served = [sys.executable, "-m", "tests.mcp_server"]
    talk(dsn, ["gateway", "--purpose", prose("slack"), "--", *served], say)
    assert value(db, "select count(*) from agentdb.tool_call_log") == 3 * len(KEYS)
    assert leaked(db) == []


def test_functions_for_a_model(db: Connection, dsn: str) -> None:
    db.execute(TABLES)
    db.execute("select agentdb.guard_table('public.invoice')")
    db.execute("update agentdb.policy set max_questions = 100")

    async def say(client: Client) -> None:
        for name, key in KEYS.items():
            said = prose(name)
            step = {"step": said, "details": {"key": key, "said": said}}
            assert not (await client.call_tool("log_progress", step)).is_error
            asked = {"question": said, "options": [key, "no"]}
            assert not (await client.call_tool("ask_human", asked)).is_error
            row = {"relation": "invoice", "operation": "insert", "key": {"id": 7}}
            for tool, args in (
                ("acquire_lock", {"name": key}),
                ("claim_file", {"path": f"/tmp/{key}"}),
                ("claim_custom", {"kind": "ticket", "target": said}),
                ("stage_change", {**row, "new_values": {"note": said}}),
                ("log_progress", {"step": "s", key: 1}),
            ):
                refused = await client.call_tool(tool, args)
                assert refused.is_error, tool

    talk(dsn, ["mcp", "--purpose", prose("aws")], say)
    assert value(db, "select count(*) from agentdb.progress_log") == len(KEYS)
    assert leaked(db) == []


def test_list_of_ones_own_is_everybodys(
    db: Connection, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file, read by the client and by the gateway."""
    place = tmp_path / "redaction.toml"
    place.write_text('patterns = ["CASE-\\\\d+"]\nfields = ["a.iban", "fail:why"]\n')
    monkeypatch.setenv("AGENTDB_REDACTION", str(place))
    with Agent(dsn).run("CASE-4711") as run:
        run.call("t", {"a": {"iban": "DE02-120"}, "why": "kept"}, lambda: "CASE-4712")
        run.log_call("fail", {"why": "DE03-120"})

    async def say(client: Client) -> None:
        await client.call_tool("fail", {"why": "DE04-120"})
        await client.call_tool("add", {"a": {"iban": "DE05-120"}, "b": "CASE-4713"})

    served = [sys.executable, "-m", "tests.mcp_server"]
    talk(dsn, ["gateway", "--", *served], say)
    found = everything(db)
    for each in ("CASE-", "DE02-120", "DE03-120", "DE05-120"):
        assert each not in found
    assert "kept" in found
    assert value(
        db, "select args ->> 'why' from agentdb.tool_call_log where ok is false limit 1"
    ) == ("[secret]")


@pytest.mark.parametrize(
    "text", ['patterns = "x"', 'patterns = ["("]', "fields = [1]", "other = []", "="]
)
def test_list_that_cannot_be_read_is_no_list(tmp_path: Path, text: str) -> None:
    place = tmp_path / "redaction.toml"
    place.write_text(text)
    with pytest.raises(InvalidArgument) as raised:
        Redaction.from_env({"AGENTDB_REDACTION": str(place)})
    assert str(place) in str(raised.value) and "patterns" in raised.value.hint
    assert "__init__" not in str(raised.value)
    with pytest.raises(InvalidArgument):
        Redaction.from_env({"AGENTDB_REDACTION": str(tmp_path / "none")})
