"""agentdb's functions as tools of MCP: described by the catalogue, in one run's name."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult

from agentdb.mcp.tools import OFFERED

from .agents import evaluate, register, row, value
from .changes import TABLES
from .conftest import Connection
from .servers import Server

ROOT = Path(__file__).parent.parent


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    db.execute(TABLES)
    db.execute("select agentdb.guard_table('public.invoice')")
    register(db)
    return server.dsn(database=db.info.dbname, user="agent_a")


def speak(
    dsn: str, talk: Callable[[Client], Awaitable[None]], mode: Any = "auto"
) -> None:
    """Start the command as a client of MCP does, and talk to it."""
    program = StdioServerParameters(
        command=sys.executable,
        args=["-m", "agentdb", "mcp", "--purpose", "tidy up"],
        env={**os.environ, "AGENTDB_DSN": dsn},
        cwd=ROOT,
    )

    async def main() -> None:
        async with Client(program, mode=mode) as client:
            await talk(client)

    asyncio.run(main())


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert content.type == "text"
    return content.text


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_both_generations_of_the_protocol_are_spoken(
    db: Connection, dsn: str, mode: str
) -> None:
    versions = []

    async def talk(client: Client) -> None:
        versions.append(client.protocol_version)
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == set(OFFERED)
        assert all(tool.description for tool in tools)
        done = await client.call_tool("log_progress", {"step": "found 3"})
        assert not done.is_error

    speak(dsn, talk, mode)
    assert versions == ["2025-11-25" if mode == "legacy" else "2026-07-28"]
    ended = row(db, "select purpose, state, steps from agentdb.run_summary")
    assert (ended["purpose"], ended["state"]) == ("tidy up", "succeeded")
    assert value(db, "select step from agentdb.progress_log") == "found 3"


def test_schema_is_that_of_the_function(dsn: str) -> None:
    async def talk(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        schema = tools["claim_rows"].input_schema
        assert schema["required"] == ["relation", "operation"]
        assert set(schema["properties"]) == {
            "relation",
            "operation",
            "keys",
            "count",
            "new_values",
        }
        assert schema["properties"]["count"] == {"type": "integer"}
        assert "run" not in tools["acquire_lock"].input_schema["properties"]

    speak(dsn, talk)


def test_calls_do_what_the_functions_do(db: Connection, dsn: str) -> None:
    async def talk(client: Client) -> None:
        taken = await client.call_tool("acquire_lock", {"name": "tick", "ttl": "5 min"})
        (lock,) = json.loads(text(taken))
        assert lock["acquired"] is True
        assert taken.structured_content == {"rows": [lock]}
        staged = await client.call_tool(
            "stage_change",
            {
                "relation": "public.invoice",
                "operation": "update",
                "key": {"id": 1},
                "new_values": {"note": "x"},
                "reason": "asked for",
            },
        )
        assert not staged.is_error, text(staged)
        claimed = await client.call_tool(
            "claim_rows",
            {"relation": "public.invoice", "operation": "update", "count": 1},
        )
        assert not claimed.is_error, text(claimed)
        left = json.loads(text(await client.call_tool("remaining_budget", {})))
        assert len(left) == 4

    speak(dsn, talk)
    change = row(db, "select agent_name, state, reason from agentdb.change_summary")
    assert change == {"agent_name": "a", "state": "pending", "reason": "asked for"}
    assert value(db, "select count(*) from agentdb.claim") == 1


WRONG: list[tuple[str, dict[str, str], str]] = [
    ("log_progress", {"step": " "}, "step must not be empty"),
    ("log_progress", {"stop": "x"}, "log_progress has no argument stop"),
    ("no_such", {}, "there is no tool no_such; there are acquire_lock"),
    ("start_run", {}, "there is no tool start_run"),
    ("acquire_lock", {"name": "x", "ttl": "soon"}, "invalid input syntax"),
    ("stage_change", {"relation": "public.line", "operation": "delete"}, "HINT"),
]


def test_what_is_wrong_is_an_error_that_a_model_can_act_on(dsn: str) -> None:
    async def talk(client: Client) -> None:
        for tool, args, said in WRONG:
            found = await client.call_tool(tool, args)
            assert found.is_error
            assert said in text(found)
            assert "CONTEXT" not in text(found)

    speak(dsn, talk)


def test_killed_run_is_refused_everything(db: Connection, dsn: str) -> None:
    async def talk(client: Client) -> None:
        run = value(db, "select run_id from agentdb.run")
        db.execute("select agentdb.kill_run(%s, 'enough')", [run])
        found = await client.call_tool("log_progress", {"step": "s"})
        assert found.is_error and "was killed: enough" in text(found)

    speak(dsn, talk)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_cancels_the_run_with_what_it_recorded(
    db: Connection, dsn: str, number: signal.Signals
) -> None:
    """Also while its client is there and says nothing."""
    child = subprocess.Popen(
        [sys.executable, "-m", "agentdb", "mcp"],
        env={**os.environ, "AGENTDB_DSN": dsn}, cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin and child.stdout
    client = {"protocolVersion": "2025-11-25", "capabilities": {},
              "clientInfo": {"name": "c", "version": "1"}}  # fmt: skip
    step = {"name": "log_progress", "arguments": {"step": "found 3"}}
    said: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": client},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": step},
    ]
    for each in said:
        child.stdin.write(json.dumps({"jsonrpc": "2.0", **each}).encode() + b"\n")
        child.stdin.flush()
        if "id" in each:
            assert json.loads(child.stdout.readline())["id"] == each["id"]
    child.send_signal(number)
    assert child.wait(60) == 128 + number
    child.communicate()
    ended = row(db, "select outcome, summary from agentdb.run")
    assert ended == {"outcome": "cancelled", "summary": number.name}
    assert value(db, "select step from agentdb.progress_log") == "found 3"


def test_closed_input_ends_the_run_as_done(db: Connection, dsn: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agentdb", "mcp"],
        env={**os.environ, "AGENTDB_DSN": dsn}, cwd=ROOT,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert value(db, "select outcome from agentdb.run") == "succeeded"


def test_advice_stands_once_at_the_end_of_a_result(db: Connection, dsn: str) -> None:
    db.execute("update agentdb.policy set run_budget_tokens = 1000")

    async def talk(client: Client) -> None:
        usual = await client.call_tool("my_changes", {})
        run = value(db, "select run_id from agentdb.run")
        with psycopg.connect(dsn) as agent:
            agent.execute("select agentdb.log_tokens(810, 0, run => %s)", [run])
        await asyncio.to_thread(evaluate, db)
        answers: list[CallToolResult] = []
        with anyio.fail_after(30):
            while not answers or len(answers[-1].content) == 1:
                answers.append(await client.call_tool("my_changes", {}))
        assert answers[-1].content[:1] == usual.content
        assert "agentdb: The budget of this run is running low: 81%" in str(answers[-1])
        assert (await client.call_tool("my_changes", {})).content == usual.content
        # What is in the rows anyway is not said beside them.
        step = await client.call_tool("log_progress", {"step": "found 3"})
        assert json.loads(text(step))[0]["advice"].startswith("The budget of this run")

    speak(dsn, talk)
