"""The SDKs of OpenAI and Anthropic and LiteLLM, against a server that answers as they do."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import litellm
import pytest
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI
from sqlalchemy import create_engine, text

from agentdb import Agent
from agentdb.adapters import litellm as ours
from agentdb.adapters.sdk import recorded
from agentdb.adapters.sqlalchemy import bind
from agentdb.client import Run
from agentdb.errors import Stopped

from ..agents import register, row, rows, value
from ..conftest import Connection
from ..scene import until
from ..servers import Server

# What the libraries leave open is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")

Read = Callable[[], list[dict[str, Any]]]
CHAT = {
    "prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip
RESPONSES = {
    "input_tokens": 100, "output_tokens": 7, "total_tokens": 107,
    "input_tokens_details": {"cached_tokens": 40},
    "output_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip
MESSAGES = {
    "input_tokens": 60, "cache_read_input_tokens": 40,
    "cache_creation_input_tokens": 0, "output_tokens": 7,
}  # fmt: skip
USED = {"input": 60, "cached": 40, "output": 7, "reasoning": 2, "model": "m-1"}


def chat(asked: dict[str, Any]) -> list[dict[str, Any]]:
    head = {"id": "x", "created": 1, "model": "m-1"}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": "hi"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return [
            head | {"object": "chat.completion", "choices": [choice], "usage": CHAT}
        ]
    head["object"] = "chat.completion.chunk"
    choice = {"index": 0, "delta": {"role": "assistant", "content": "hi"}}
    parts: list[dict[str, Any]] = [head | {"choices": [choice]}]
    if (asked.get("stream_options") or {}).get("include_usage"):
        parts.append(head | {"choices": [], "usage": CHAT})
    return parts


def response(asked: dict[str, Any]) -> list[dict[str, Any]]:
    whole = {
        "id": "x", "object": "response", "created_at": 1, "model": "m-1", "output": [],
        "usage": RESPONSES, "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": [], "status": "completed",
    }  # fmt: skip
    if not asked.get("stream"):
        return [whole]
    return [{"type": "response.completed", "response": whole, "sequence_number": 1}]


def message(asked: dict[str, Any]) -> list[dict[str, Any]]:
    whole = {
        "id": "x", "type": "message", "role": "assistant", "model": "m-1",
        "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn",
        "stop_sequence": None, "usage": MESSAGES,
    }  # fmt: skip
    if not asked.get("stream"):
        return [whole]
    begun = whole | {"content": [], "usage": MESSAGES | {"output_tokens": 1}}
    return [
        {"type": "message_start", "message": begun},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 7},
        },
        {"type": "message_stop"},
    ]


ANSWERS = {
    "/v1/chat/completions": chat, "/v1/responses": response, "/v1/messages": message,
}  # fmt: skip


class Provider(BaseHTTPRequestHandler):
    """Answers as the providers do."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        parts = ANSWERS[self.path](asked)
        body = json.dumps(parts[0])
        kind = "application/json"
        if asked.get("stream"):
            kind = "text/event-stream"
            body = "".join(
                (f"event: {part['type']}\n" if "type" in part else "")
                + f"data: {json.dumps(part)}\n\n"
                for part in parts
            )
            if self.path == "/v1/chat/completions":
                body += "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *said: object) -> None:
        return None


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


SAID: Any = [{"role": "user", "content": "?"}]
HOW = {
    "chat": lambda client, stream: client.chat.completions.create(
        model="m-1", messages=SAID, stream=stream
    ),
    "responses": lambda client, stream: client.responses.create(
        model="m-1", input="?", stream=stream
    ),
    "messages": lambda client, stream: client.messages.create(
        model="m-1", messages=SAID, max_tokens=9, stream=stream
    ),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("way", HOW)
def test_tokens_of_each_answer(
    run: Run, address: str, tokens: Read, way: str, stream: bool
) -> None:
    plain: Any
    if way == "messages":
        plain = Anthropic(api_key="k", base_url=address)
    else:
        plain = OpenAI(api_key="k", base_url=f"{address}/v1")
    with recorded(run, plain) as client:
        found = HOW[way](client, stream)
        if stream:
            assert len(list(found)) >= 1
    used = USED | ({"reasoning": 0} if way == "messages" else {})
    assert tokens() == [used]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("way", HOW)
def test_tokens_of_each_awaited_answer(
    run: Run, address: str, tokens: Read, way: str, stream: bool
) -> None:
    async def work() -> None:
        plain: Any
        if way == "messages":
            plain = AsyncAnthropic(api_key="k", base_url=address)
        else:
            plain = AsyncOpenAI(api_key="k", base_url=f"{address}/v1")
        async with recorded(run, plain) as client:
            found = await HOW[way](client, stream)
            if stream:
                assert [part async for part in found]

    asyncio.run(work())
    used = USED | ({"reasoning": 0} if way == "messages" else {})
    assert tokens() == [used]


def test_stream_that_is_left_early_says_what_it_knew(
    run: Run, address: str, tokens: Read
) -> None:
    with (
        recorded(run, Anthropic(api_key="k", base_url=address)) as client,
        client.messages.create(
            model="m-1", messages=SAID, max_tokens=9, stream=True
        ) as stream,
    ):
        next(iter(stream))
    assert tokens()[0]["output"] == 1


def test_stopped_run_sends_no_prompt(run: Run) -> None:
    run._log.stopped = Stopped("enough")
    with OpenAI(api_key="k", base_url="http://127.0.0.1:1/v1") as plain:
        client = recorded(run, plain)
        with pytest.raises(Stopped):
            client.responses.create(model="m-1", input="?")


def test_litellm_has_tokens_and_cost(
    db: Connection, run: Run, address: str, tokens: Read
) -> None:
    litellm.callbacks = [ours.Recorded(run)]
    litellm.completion(
        model="openai/gpt-4o", messages=SAID, api_base=f"{address}/v1", api_key="k"
    )
    until(lambda: len(tokens()) == 1)
    assert {**tokens()[0], "model": ""} == {**USED, "model": ""}
    litellm.callbacks = []


def test_transactions_of_an_engine_write_for_the_run(
    db: Connection, run: Run, server: Server
) -> None:
    db.execute(
        "create table public.item (id int primary key);"
        "grant select, insert on item to agent_a; select agentdb.audit_table('item')"
    )
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    engine = create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
    bind(run, engine)
    with engine.begin() as connection:
        connection.execute(text("insert into item values (1)"))
    engine.dispose()
    assert value(db, "select run_id from agentdb.audit") == run.id
    register(db, "b", "agent_b")
    assert row(db, "select count(*) as n from agentdb.audit")["n"] == 1


def test_client_and_engine_that_outlive_a_run_are_the_next_ones(
    db: Connection, agent: Agent, address: str, server: Server
) -> None:
    """One client and one engine of a program, a run for each tick of it."""
    db.execute(
        "create table public.item (id int primary key);"
        "grant select, insert on item to agent_a; select agentdb.audit_table('item')"
    )
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    engine = create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
    runs = []
    with OpenAI(api_key="k", base_url=f"{address}/v1") as client:
        for tick in range(3):
            with agent.run() as run:
                runs.append(run.id)
                bind(run, engine)
                HOW["chat"](recorded(run, client), False)
                with engine.begin() as connection:
                    connection.execute(text(f"insert into item values ({tick})"))
            with engine.connect() as connection:
                assert connection.execute(text("select 1")).scalar() == 1
    engine.dispose()
    for table in ("token_log", "audit"):
        found = rows(db, f"select run_id from agentdb.{table} order by 1")
        assert [each["run_id"] for each in found] == runs
