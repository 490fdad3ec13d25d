"""LangChain and LangGraph, traced by OpenInference, OpenLLMetry and LangSmith."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver as InMemorySaver
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.instrumentation.langchain import LangchainInstrumentor

from ..agents import rows, value
from ..conftest import Connection
from ..serving import Serving
from .emitting import calls, of_requests, outcomes, problems, totals
from .scripted import CACHED, INPUT, OUTPUT, REASONING

BAD, UNKNOWN = "invalid_args", "unknown"
LIBRARIES: dict[str, Any] = {
    "openinference": LangChainInstrumentor,
    "openllmetry": LangchainInstrumentor,
}
USED = {
    "input_tokens": INPUT + CACHED, "output_tokens": OUTPUT,
    "total_tokens": INPUT + CACHED + OUTPUT,
    "input_token_details": {"cache_read": CACHED},
    "output_token_details": {"reasoning": REASONING},
}  # fmt: skip


class Model(GenericFakeChatModel):
    """A model of langchain's own for tests, which may be given tools."""

    def bind_tools(self, tools: Any, **more: Any) -> Any:
        told = [
            {"type": "function", "function": {"name": each.name, "parameters": {}}}
            for each in tools
        ]
        return self.bind(tools=told)


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    if a < 0:
        raise ValueError("negative")
    return a + b


# What is traced runs in a process of its own: each of the libraries stays in a process
# for ever, and the spans of one become parents of the other's.
PROGRAM = """
import sys
from tests.adapters.emitting import exporting
from tests.adapters.test_emitted_langchain import *
from tests.serving import Serving

with exporting(Serving(None, sys.argv[1], sys.argv[2])) as provider:
    LIBRARIES[sys.argv[3]]().instrument(tracer_provider=provider)
    try:
        {code}
    except ValueError as error:
        assert str(error) == "negative"
"""


def trace(serve: Serving, library: str, code: str) -> None:
    """Run a line of Python with a library that traces to the server."""
    program = PROGRAM.format(code=code)
    done = subprocess.run(
        [sys.executable, "-c", program, serve.url, serve.token, library], timeout=120
    )
    assert done.returncode == 0


def replies(*messages: Any) -> Iterator[AIMessage]:
    """Yield answers: a text, or calls given by id, tool and arguments."""
    for message in messages:
        said = message if isinstance(message, str) else ""
        made = [] if said else [{"id": i, "name": n, "args": a} for i, n, a in message]
        yield AIMessage(said, tool_calls=made, usage_metadata=USED)


def invoke(*messages: Any, thread: str = "th-1", **more: Any) -> Any:
    agent = create_agent(
        Model(messages=replies(*messages)), [add], name="coder", **more
    )
    config: Any = {"configurable": {"thread_id": thread}}
    return agent.invoke({"messages": [("user", "?")]}, config)["messages"][-1].content


@pytest.mark.parametrize("library", LIBRARIES)
def test_calls_and_tokens(db: Connection, serve: Serving, library: str) -> None:
    trace(serve, library, "invoke([('c1', 'add', {'a': 1, 'b': 2})], '3')")
    assert calls(db) == [("add", True, None, "c1")]
    assert totals(db) == of_requests(2)
    assert outcomes(db)[0] == "succeeded"
    assert value(db, "select args from agentdb.tool_call_log") == {"a": 1, "b": 2}
    assert value(db, "select conversation from agentdb.run limit 1") == "th-1"
    assert problems(db) == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_goes_wrong_is_told_apart(
    db: Connection, serve: Serving, library: str
) -> None:
    code = (
        "invoke([('c1', 'add', {'a': 'x'})], [('c2', 'nothing', {'q': 1})],"
        " [('c3', 'add', {'a': -1, 'b': 2})], '3')"
    )
    trace(serve, library, code)
    assert calls(db) == [
        ("add", False, BAD, "c1"),
        ("nothing", False, UNKNOWN, "c2"),
        ("add", False, None, "c3"),
    ]
    assert [
        each["args"]
        for each in rows(
            db, "select args from agentdb.tool_call_log order by tool_call_log_id"
        )
    ] == [{"a": "x"}, {"q": 1}, {"a": -1, "b": 2}]
    assert totals(db) == of_requests(3)
    assert "failed" in outcomes(db)


@pytest.mark.parametrize("library", LIBRARIES)
def test_two_turns_of_one_thread(db: Connection, serve: Serving, library: str) -> None:
    code = (
        "kept = InMemorySaver();"
        " invoke([('c1', 'add', {'a': 1, 'b': 2})], '3', checkpointer=kept);"
        " invoke([('c2', 'add', {'a': 3, 'b': 4})], '7', checkpointer=kept)"
    )
    trace(serve, library, code)
    assert [each[3] for each in calls(db)] == ["c1", "c2"]
    assert totals(db) == of_requests(4)


@pytest.mark.parametrize("library", LIBRARIES)
def test_same_id_twice_in_one_reply_runs_twice(
    db: Connection, serve: Serving, library: str
) -> None:
    code = "invoke([('c1', 'add', {'a': 1, 'b': 2}), ('c1', 'add', {'a': 1, 'b': 3})], '3')"
    trace(serve, library, code)
    assert [each[:2] for each in calls(db)] == [("add", True)] * 2
    assert totals(db) == of_requests(2)


def test_by_langsmith(db: Connection, serve: Serving) -> None:
    """Its exporter is a process's own, so that a process of its own has it."""
    program = (
        "from tests.adapters.test_emitted_langchain import invoke\n"
        "from langchain_core.tracers.langchain import wait_for_all_tracers\n"
        "from opentelemetry import trace\n"
        "from opentelemetry.exporter.otlp.proto.http.trace_exporter import *\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import BatchSpanProcessor\n"
        "trace.set_tracer_provider(TracerProvider())\n"
        "trace.get_tracer_provider().add_span_processor(\n"
        "    BatchSpanProcessor(OTLPSpanExporter()))\n"
        "try:\n"
        "    invoke([('c1', 'add', {'a': 1, 'b': 2})], [('c2', 'add', {'a': 'x'})],\n"
        "           [('c3', 'nothing', {})], [('c4', 'add', {'a': -1, 'b': 2})], '3')\n"
        "except ValueError:\n"
        "    pass\n"
        "wait_for_all_tracers()\n"
        "assert trace.get_tracer_provider().force_flush()\n"
    )
    environment = {
        "LANGSMITH_OTEL_ENABLED": "true",
        "LANGSMITH_OTEL_ONLY": "true",
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_API_KEY": "x",
        "LANGSMITH_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_ENDPOINT": serve.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{serve.token}",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **environment}, timeout=120
    )
    assert done.returncode == 0
    assert calls(db) == [
        ("add", True, None, "c1"),
        ("add", False, BAD, "c2"),
        ("nothing", False, UNKNOWN, "c3"),
        ("add", False, None, "c4"),
    ]
    assert totals(db) == of_requests(4)
