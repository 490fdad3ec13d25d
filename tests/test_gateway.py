"""The gateway passes everything on as it came, and records each call once."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp_types import (
    CallToolResult,
    CreateMessageResult,
    ElicitResult,
    TextContent,
)
from starlette.testclient import TestClient

from agentdb import Agent
from agentdb.client import Usage
from agentdb.mcp.gateway import Gateway
from agentdb.mcp.http import application

from .agents import evaluate, register, row, rows, value
from .conftest import Connection
from .ports import free_port
from .scene import until
from .servers import Server

ROOT = Path(__file__).parent.parent
SERVER = [sys.executable, "-m", "tests.mcp_server"]
Talk = Callable[[Client], Awaitable[Any]]


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    register(db)
    return server.dsn(database=db.info.dbname, user="agent_a")


async def answer(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"sure": True})


async def sampled(context: Any, params: Any) -> CreateMessageResult:
    thought = TextContent(type="text", text="because")
    return CreateMessageResult(role="assistant", content=thought, model="m")


# What a client does that a server asks something.
ASKED_BACK: dict[str, Any] = {
    "elicitation_callback": answer,
    "sampling_callback": sampled,
}


def speak(dsn: str | None, talk: Talk, *, mode: Any = "auto", **more: str) -> Any:
    """Talk to the server, through the gateway where there is a database."""
    command = SERVER
    if dsn:
        command = [sys.executable, "-m", "agentdb", "gateway", "--", *SERVER]
    program = StdioServerParameters(
        command=command[0],
        args=command[1:],
        env={**os.environ, "AGENTDB_DSN": dsn or "", **more},
        cwd=ROOT,
    )

    async def main() -> Any:
        async with Client(program, mode=mode, **ASKED_BACK) as client:
            return await talk(client)

    return asyncio.run(main())


async def everything(client: Client) -> list[Any]:
    """Return all that a client gets to see of the server."""
    seen: list[Any] = [client.protocol_version, client.instructions]
    seen.append((await client.list_tools()).model_dump(exclude={"meta"}))

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total))

    for tool, args in (
        ("add", {"a": 1, "b": 2}),
        ("fail", {"why": "x"}),
        ("no_such", {"a": 1}),
        ("add", {"a": "x"}),
        ("ask", {}),
        ("think", {}),
        ("picture", {}),
        ("progress", {}),
    ):
        result = await client.call_tool(tool, args, progress_callback=heard)
        seen.append(result.model_dump(exclude={"meta"}))
    with pytest.raises(MCPError) as error:
        await client.read_resource("no://where")
    seen.append(error.value.error.code)
    return seen


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_client_sees_the_same_with_and_without(
    db: Connection, dsn: str, mode: str
) -> None:
    assert speak(dsn, everything, mode=mode) == speak(None, everything, mode=mode)
    calls = rows(
        db,
        "select tool, ok, error from agentdb.tool_call_log order by tool_call_log_id",
    )
    assert [(each["tool"], each["ok"]) for each in calls] == [
        ("add", True),
        ("fail", False),
        ("no_such", False),
        ("add", False),
        ("ask", True),
        ("think", True),
        ("picture", True),
        ("progress", True),
    ]
    faults = rows(db, "select fault, detail from agentdb.tool_fault order by 2")
    assert [each["fault"] for each in faults] == ["invalid_args"] * 2
    assert "no such tool" in faults[1]["detail"]
    assert row(db, "select outcome from agentdb.run") == {"outcome": "succeeded"}


@pytest.fixture
def address() -> Iterator[str]:
    """The address of the server over HTTP."""
    port = free_port()
    child = subprocess.Popen([*SERVER, str(port)], cwd=ROOT)
    until(lambda: answers(port))
    yield f"http://127.0.0.1:{port}/mcp"
    child.terminate()
    child.wait()


@pytest.fixture
def gateway(dsn: str, address: str) -> Iterator[str]:
    """The address of the gateway before it."""
    child = subprocess.Popen(
        [sys.executable, "-m", "agentdb", "gateway", "--http", address],
        env={**os.environ, "AGENTDB_DSN": dsn},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    said = child.stdout.readline()
    own = said.rpartition(" ")[2].strip()
    until(lambda: answers(int(own.split(":")[2].split("/")[0])))
    yield own
    child.terminate()
    child.communicate()


def answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def over_http(address: str, talk: Talk, mode: Any = "auto") -> Any:
    async def main() -> Any:
        async with Client(address, mode=mode, **ASKED_BACK) as client:
            return await talk(client)

    return asyncio.run(main())


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_over_http_client_sees_the_same_with_and_without(
    db: Connection, address: str, gateway: str, mode: str
) -> None:
    assert over_http(gateway, everything, mode) == over_http(address, everything, mode)
    until(lambda: value(db, "select count(*) from agentdb.tool_call_log") == 8)
    assert value(db, "select count(*) from agentdb.tool_call_log where ok") == 5


def test_over_http_stopped_run_is_answered(db: Connection, gateway: str) -> None:
    async def talk(client: Client) -> None:
        run = value(db, "select run_id from agentdb.run")
        db.execute("select agentdb.kill_run(%s, 'enough')", [run])
        await anyio.sleep(2)
        result = await client.call_tool("add", {"a": 1, "b": 2})
        assert "was killed: enough" in text(result)

    over_http(gateway, talk)


def test_over_http_server_that_is_away_is_a_failed_call(
    db: Connection, dsn: str
) -> None:
    call = {"id": 1, "method": "tools/call", "params": {"name": "t", "arguments": {}}}
    with Agent(dsn).run() as run:
        app = application(Gateway(run), "http://127.0.0.1:1/mcp")
        with TestClient(app, base_url="http://127.0.0.1") as client:
            assert client.post("/mcp", json=call).status_code == 502
        with TestClient(app, base_url="http://evil.example") as client:
            assert client.post("/mcp", json=call).status_code == 421
    logged = row(db, "select tool, ok, error from agentdb.tool_call_log")
    assert (logged["tool"], logged["ok"]) == ("t", False)
    assert logged["error"].startswith("protocol: ConnectError")


def test_tools_are_registered_by_an_operator(
    db: Connection, dsn: str, server: Server
) -> None:
    async def talk(client: Client) -> None:
        await client.list_tools()
        await client.call_tool("add", {"a": 1, "b": 2})

    operator = server.dsn(database=db.info.dbname, user="operator_o")
    speak(dsn, talk, AGENTDB_OPERATOR_DSN=operator)
    names = rows(db, "select tool_name from agentdb.tool order by 1")
    assert [each["tool_name"] for each in names] == [
        "add", "ask", "fail", "picture", "progress", "slow", "think",
    ]  # fmt: skip


def test_stopped_run_is_answered_and_the_server_not_asked(
    db: Connection, dsn: str
) -> None:
    async def talk(client: Client) -> None:
        run = value(db, "select run_id from agentdb.run")
        db.execute("select agentdb.kill_run(%s, 'enough')", [run])
        await anyio.sleep(2)
        result = await client.call_tool("add", {"a": 1, "b": 2})
        assert result.is_error
        assert "was killed: enough" in text(result)
        assert (await client.list_tools()).tools

    speak(dsn, talk)
    assert rows(db, "select tool from agentdb.tool_call_log") == []


def test_run_over_its_budget_is_answered_until_it_has_more(
    db: Connection, dsn: str
) -> None:
    """Whoever spent it: a gateway sees no prompts."""
    db.execute("update agentdb.policy set run_budget_cost = 1")
    texts: list[str] = []

    async def talk(client: Client) -> None:
        spend = (
            "insert into agentdb.token_log (run_id, agent_id, input_tokens, output_tokens,"
            " cached_input_tokens, reasoning_tokens, cost)"
            " select run_id, agent_id, 1, 0, 0, 0, 1 from agentdb.run"
        )
        texts.append(str(await client.call_tool("add", {"a": 1, "b": 2})))
        db.execute(spend)
        with anyio.fail_after(60):
            while "used up" not in texts[-1]:
                texts.append(str(await client.call_tool("add", {"a": 1, "b": 2})))
        assert "cost of 1 of 1" in texts[-1] and "End this run" in texts[-1]
        db.execute("update agentdb.policy set run_budget_cost = 2")
        with anyio.fail_after(60):
            while "used up" in texts[-1]:
                texts.append(str(await client.call_tool("add", {"a": 1, "b": 2})))

    speak(dsn, talk)
    refused = sum("used up" in each for each in texts)
    assert refused >= 1
    told = "select count(*) from agentdb.tool_call_log where error like 'refused: %%'"
    assert value(db, told) == refused
    assert value(db, "select count(*) from agentdb.tool_call_log") == len(texts)


def test_budget_that_is_used_up_before_is_known_at_the_first_call(
    db: Connection, dsn: str
) -> None:
    db.execute("update agentdb.policy set agent_day_budget_tokens = 1")
    with Agent(dsn).run() as run:
        run.log_tokens(Usage(5, 5))

    async def talk(client: Client) -> None:
        said = str(await client.call_tool("add", {"a": 1, "b": 2}))
        assert "agent_day budget is used up: 10 of 1 tokens" in said

    speak(dsn, talk)


def test_loop_is_answered_once(db: Connection, dsn: str) -> None:
    async def talk(client: Client) -> None:
        for _ in range(12):
            await client.call_tool("fail", {"why": "x"})
        answers: set[str] = set()
        with anyio.fail_after(30):
            while not any("another way" in each for each in answers):
                await asyncio.to_thread(evaluate, db)
                answers.add(text(await client.call_tool("fail", {"why": "x"})))
        assert not (await client.call_tool("add", {"a": 1, "b": 2})).is_error

    speak(dsn, talk)


async def advised(db: Connection, dsn: str, client: Client) -> None:
    """Have the run use most of its budget, and expect to be told of it once."""
    sum_of = {"a": 1, "b": 2}
    usual = await client.call_tool("add", sum_of)
    spend = "select agentdb.log_tokens(810, 0, run => %s::bigint)"
    run = value(db, "select run_id from agentdb.run")
    with psycopg.connect(dsn) as agent:
        agent.execute(spend, [run])
    await asyncio.to_thread(evaluate, db)
    answers: list[CallToolResult] = []
    with anyio.fail_after(30):
        while not answers or len(answers[-1].content) == 1:
            answers.append(await client.call_tool("add", sum_of))
    first, told = answers[-1].content
    assert [first] == usual.content
    assert answers[-1].structured_content == usual.structured_content
    assert told.type == "text"
    assert told.text.startswith("agentdb: The budget of this run is running low: 81%")
    for _ in range(30):
        assert (await client.call_tool("add", sum_of)).content == usual.content
        await anyio.sleep(0.1)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_advice_stands_once_at_the_end_of_a_result(
    db: Connection, dsn: str, mode: str
) -> None:
    db.execute("update agentdb.policy set run_budget_tokens = 1000")
    speak(dsn, partial(advised, db, dsn), mode=mode)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_over_http_advice_stands_once_at_the_end_of_a_result(
    db: Connection, dsn: str, gateway: str, mode: str
) -> None:
    db.execute("update agentdb.policy set run_budget_tokens = 1000")
    over_http(gateway, partial(advised, db, dsn), mode)


def test_call_that_the_client_gives_up_is_one_that_failed(
    db: Connection, dsn: str
) -> None:
    async def talk(client: Client) -> None:
        with anyio.move_on_after(1):
            await client.call_tool("slow", {"seconds": 5})
        await client.call_tool("add", {"a": 1, "b": 2})

    speak(dsn, talk)
    calls = rows(db, "select tool, ok, error from agentdb.tool_call_log order by 1")
    assert [(each["tool"], each["ok"]) for each in calls] == [
        ("add", True),
        ("slow", False),
    ]
    assert calls[1]["error"] == "cancelled by the client"


def test_server_that_dies_ends_the_gateway_with_its_code(
    db: Connection, dsn: str
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "agentdb",
            "gateway",
            "--",
            "sh",
            "-c",
            "read x; exit 7",
        ],
        env={**os.environ, "AGENTDB_DSN": dsn},
        cwd=ROOT,
        input=b'{"jsonrpc":"2.0","id":1,"method":"tools/call",'
        b'"params":{"name":"t","arguments":{}}}\n',
        capture_output=True,
    )
    assert done.returncode == 7
    call = row(db, "select tool, ok, error from agentdb.tool_call_log")
    assert call == {
        "tool": "t", "ok": False, "error": "protocol: the server ended with 7",
    }  # fmt: skip
    ended = row(db, "select outcome, summary from agentdb.run")
    assert ended == {"outcome": "failed", "summary": "the server ended with 7"}


def test_what_is_no_json_goes_through(dsn: str) -> None:
    lines = b"not json\n[1, {}]\n\xff\xfe\n" + b'{"id": 1, "method": "tools/call"}\n'
    done = subprocess.run(
        [sys.executable, "-m", "agentdb", "gateway", "--", "cat"],
        env={**os.environ, "AGENTDB_DSN": dsn},
        cwd=ROOT,
        input=lines,
        capture_output=True,
    )
    assert done.stdout == lines
    assert done.returncode == 0


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert content.type == "text"
    return content.text
