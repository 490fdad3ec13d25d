"""The SDKs of OpenAI and Anthropic and LiteLLM, against a server that answers as they do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import litellm
import pytest
from anthropic import Anthropic, AsyncAnthropic
from openai import APIConnectionError, AsyncOpenAI, OpenAI
from pydantic import BaseModel
from sqlalchemy import create_engine, text

from agentdb import Agent
from agentdb.adapters import litellm as ours
from agentdb.adapters import sdk
from agentdb.adapters.sdk import recorded
from agentdb.adapters.sqlalchemy import bind
from agentdb.client import BudgetRefused, Run
from agentdb.errors import Stopped

from ..agents import register, row, rows, value
from ..conftest import Connection
from ..scene import until
from ..servers import Server
from . import provider

# What the libraries leave open is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")

Read = Callable[[], list[dict[str, Any]]]
USED = {"input": 60, "cached": 40, "output": 7, "reasoning": 2, "model": "m-1"}


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


TOLD = """
select status from agentdb.record_events(jsonb_build_array(jsonb_build_object(
  'kind', 'tokens', 'agent', 'a', 'proven', true, 'conversation', (
    select conversation from agentdb.run), 'input', 60, 'ids', array[%s::text])))
"""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("way", HOW)
def test_an_answer_is_known_by_its_id(
    db: Connection, run: Run, address: str, tokens: Read, way: str, stream: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also to what an exporter tells of it: counted once."""
    monkeypatch.setattr(provider, "ANSWER", "resp_0123456789abcdef")
    plain: Any
    if way == "messages":
        plain = Anthropic(api_key="k", base_url=address)
    else:
        plain = OpenAI(api_key="k", base_url=f"{address}/v1")
    with recorded(run, plain) as client:
        found = HOW[way](client, stream)
        if stream:
            assert len(list(found)) >= 1
    assert len(tokens()) == 1
    assert value(db, TOLD, "resp_0123456789abcdef") == "repeated"
    assert value(db, TOLD, "resp_0123456789abcdee") == "recorded"


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
            model="m-1", messages=SAID, max_tokens=9, stream=True,
            extra_headers={"x-hang": "1"},
        ) as stream,
    ):  # fmt: skip
        next(iter(stream))
    assert tokens()[0]["output"] == 1


class Said(BaseModel):
    """What a model is asked to answer with."""

    hi: str


def openai_chat_stream(client: Any) -> Any:
    with client.chat.completions.stream(model="m-1", messages=SAID) as stream:
        return [each.type for each in stream]


def openai_responses_stream(client: Any) -> Any:
    with client.responses.stream(model="m-1", input="?") as stream:
        return [each.type for each in stream]


def anthropic_stream(client: Any) -> Any:
    with client.messages.stream(model="m-1", messages=SAID, max_tokens=9) as stream:
        return stream.get_final_message().usage.output_tokens


def openai_streamed_response(client: Any) -> Any:
    made = client.chat.completions.with_streaming_response.create
    with made(model="m-1", messages=SAID) as answer:
        return [each for each in answer.iter_lines() if each]


def openai_streamed_stream(client: Any) -> Any:
    made = client.responses.with_streaming_response.create
    with made(model="m-1", input="?", stream=True) as answer:
        return list(answer.parse())


def anthropic_streamed_response(client: Any) -> Any:
    made = client.messages.with_streaming_response.create
    with made(model="m-1", messages=SAID, max_tokens=9) as answer:
        return answer.json()


# All else by which a program can ask: each is one prompt with its tokens.
OTHERWISE: dict[str, Callable[[Any], Any]] = {
    "chat.stream": openai_chat_stream,
    "chat.parse": lambda client: client.chat.completions.parse(
        model="m-1", messages=SAID
    ).usage.total_tokens,
    "chat.raw": lambda client: client.chat.completions.with_raw_response.create(
        model="m-1", messages=SAID
    ).parse(),
    "chat.raw.stream": lambda client: list(
        client.chat.completions.with_raw_response.create(
            model="m-1", messages=SAID, stream=True
        ).parse()
    ),
    "chat.streamed": openai_streamed_response,
    "responses.stream": openai_responses_stream,
    "responses.parse": lambda client: client.responses.parse(
        model="m-1", input="?", text_format=Said
    ).usage.total_tokens,
    "responses.streamed.stream": openai_streamed_stream,
    "responses.packed": lambda client: list(client.responses.create(
        model="m-1", input="?", stream=True, extra_headers={"x-gzip": "1"}
    )),
    "copy": lambda client: client.with_options(max_retries=0).copy().responses.create(
        model="m-1", input="?"
    ),
    "messages.stream": anthropic_stream,
    "messages.raw": lambda client: client.messages.with_raw_response.create(
        model="m-1", messages=SAID, max_tokens=9
    ).parse(),
    "messages.streamed": anthropic_streamed_response,
    "messages.beta": lambda client: client.beta.messages.create(
        model="m-1", messages=SAID, max_tokens=9
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", OTHERWISE)
def test_tokens_whatever_is_called(
    db: Connection, run: Run, address: str, tokens: Read, way: str
) -> None:
    anthropic = way.startswith("messages")
    plain: Any = (
        Anthropic(api_key="k", base_url=address)
        if anthropic
        else OpenAI(api_key="k", base_url=f"{address}/v1")
    )
    with plain as client:
        assert OTHERWISE[way](recorded(run, client))
    assert tokens() == [USED | ({"reasoning": 0} if anthropic else {})]
    kept = "select count(*) from agentdb.token_reservation where settled_at is null"
    assert value(db, kept) == 0


async def awaited_chat(client: Any) -> Any:
    async with client.chat.completions.stream(model="m-1", messages=SAID) as stream:
        return [each.type async for each in stream]


async def awaited_responses(client: Any) -> Any:
    async with client.responses.stream(model="m-1", input="?") as stream:
        return [each.type async for each in stream]


async def awaited_messages(client: Any) -> Any:
    made = client.messages.stream(model="m-1", messages=SAID, max_tokens=9)
    async with made as stream:
        return (await stream.get_final_message()).usage.output_tokens


async def awaited_parse(client: Any) -> Any:
    found = await client.responses.parse(model="m-1", input="?", text_format=Said)
    return found.usage.total_tokens


async def awaited_raw(client: Any) -> Any:
    made = client.chat.completions.with_raw_response.create
    return (await made(model="m-1", messages=SAID)).parse()


async def awaited_streamed(client: Any) -> Any:
    made = client.chat.completions.with_streaming_response.create
    async with made(model="m-1", messages=SAID) as answer:
        return [each async for each in answer.iter_lines() if each]


async def awaited_beta(client: Any) -> Any:
    return await client.beta.messages.create(model="m-1", messages=SAID, max_tokens=9)


AWAITED: dict[str, Callable[[Any], Any]] = {
    "chat.stream": awaited_chat, "responses.stream": awaited_responses,
    "responses.parse": awaited_parse, "chat.raw": awaited_raw,
    "chat.streamed": awaited_streamed, "messages.stream": awaited_messages,
    "messages.beta": awaited_beta,
}  # fmt: skip


@pytest.mark.parametrize("way", AWAITED)
def test_tokens_whatever_is_awaited(
    db: Connection, run: Run, address: str, tokens: Read, way: str
) -> None:
    anthropic = way.startswith("messages")

    async def work() -> None:
        plain: Any = (
            AsyncAnthropic(api_key="k", base_url=address)
            if anthropic
            else AsyncOpenAI(api_key="k", base_url=f"{address}/v1")
        )
        async with plain as client:
            assert await AWAITED[way](recorded(run, client))

    asyncio.run(work())
    assert tokens() == [USED | ({"reasoning": 0} if anthropic else {})]


def test_embeddings_are_input_alone(run: Run, address: str, tokens: Read) -> None:
    with OpenAI(api_key="k", base_url=f"{address}/v1") as client:
        recorded(run, client).embeddings.create(model="m-1", input="?")
    assert tokens() == [
        {"input": 100, "cached": 0, "output": 0, "reasoning": 0, "model": "m-1"}
    ]


def test_count_of_tokens_is_no_prompt(
    db: Connection, run: Run, address: str, tokens: Read
) -> None:
    with Anthropic(api_key="k", base_url=address) as client:
        said = recorded(run, client).messages.count_tokens(model="m-1", messages=SAID)
    assert said.input_tokens == 100
    assert tokens() == []
    assert value(db, "select count(*) from agentdb.token_reservation") == 0


def test_prompt_over_the_budget_is_not_sent(
    db: Connection, run: Run, address: str, tokens: Read
) -> None:
    db.execute("update agentdb.policy set run_budget_tokens = 1000")
    long: Any = [{"role": "user", "content": "?" * 8000}]
    nowhere = "http://127.0.0.1:1/v1"
    with (
        OpenAI(api_key="k", base_url=nowhere) as client,
        pytest.raises(BudgetRefused),
    ):
        recorded(run, client).chat.completions.create(model="m-1", messages=long)
    with (
        Anthropic(api_key="k", base_url=nowhere) as other,
        pytest.raises(BudgetRefused),
    ):
        recorded(run, other).messages.create(
            model="m-1", messages=SAID, max_tokens=2000
        )
    assert tokens() == []


def test_picture_is_not_counted_by_its_characters(
    db: Connection, run: Run, address: str
) -> None:
    db.execute("update agentdb.policy set run_budget_tokens = 10000")
    shown = {"type": "image_url", "image_url": {"url": "data:;base64," + "A" * 900_000}}
    asked: Any = [{"role": "user", "content": [shown]}]
    with OpenAI(api_key="k", base_url=f"{address}/v1") as client:
        recorded(run, client).chat.completions.create(model="m-1", messages=asked)
    assert value(db, "select prompt_tokens from agentdb.token_reservation") < 2000


@pytest.mark.parametrize("stream", [False, True])
def test_answer_that_cannot_be_read_is_the_programs_even_so(
    run: Run, address: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any, **named: Any) -> Any:
        raise RuntimeError("a usage of another kind")

    monkeypatch.setattr(sdk, "usage_of", broken)
    with OpenAI(api_key="k", base_url=f"{address}/v1") as client:
        found = HOW["chat"](recorded(run, client), stream)
        if stream:
            assert "hi" in str(list(found))
        else:
            assert found.choices[0].message.content == "hi"


def test_prompt_that_fails_is_free_again(
    db: Connection, run: Run, tokens: Read
) -> None:
    nowhere = "http://127.0.0.1:1/v1"
    with (
        OpenAI(api_key="k", base_url=nowhere, max_retries=0) as client,
        pytest.raises(APIConnectionError),
    ):
        recorded(run, client).responses.create(model="m-1", input="?")
    kept = "select count(*) from agentdb.token_reservation where settled_at is null"
    assert value(db, kept) == 0


class To(httpx.HTTPTransport):
    """The provider's own address, which leads to ours."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._to = httpx.URL(address)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(
            scheme="http", host=self._to.host, port=self._to.port
        )
        return super().handle_request(request)


@pytest.mark.parametrize("stream", [False, True])
def test_price_is_that_of_the_address_that_was_asked(
    db: Connection, run: Run, address: str, stream: bool
) -> None:
    asked = {"x-model": "gpt-4o"}
    http = httpx.Client(transport=To(address))
    for url in ("https://api.openai.com/v1", "https://models.example/v1"):
        with OpenAI(
            api_key="k", base_url=url, http_client=http, default_headers=asked
        ).copy() as client:
            found = recorded(run, client).chat.completions.create(
                model="gpt-4o", messages=SAID, stream=stream
            )
            if stream:
                list(found)
            http = httpx.Client(transport=To(address))
    http.close()
    assert run._log.flush()
    first, second = rows(
        db, "select input_cost, priced_by from agentdb.token_log order by token_log_id"
    )
    assert first["input_cost"] == Decimal("0.00015")
    assert "openai/gpt-4o" in first["priced_by"]
    assert second == {"input_cost": None, "priced_by": None}


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


def test_litellm_records_for_each_tick_of_a_program(
    db: Connection, agent: Agent, address: str
) -> None:
    def recorded_once(run: Run) -> bool:
        counted = "select count(*) from agentdb.token_log where run_id = %s"
        return run._log.flush() and value(db, counted, run.id) == 1

    for _ in range(2):
        with agent.run() as run:
            litellm.callbacks = [ours.Recorded(run)]
            litellm.completion(
                model="openai/gpt-4o", messages=SAID, api_base=f"{address}/v1",
                api_key="k",
            )  # fmt: skip
            until(partial(recorded_once, run))
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
