"""An MCP server of agentdb's own functions, in the name of one run."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from functools import partial
from types import FrameType
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from .. import __version__
from ..client import Agent, Run
from ..client.calls import as_json
from ..errors import describe
from .tools import FUNCTIONS, OFFERED, Argument, Function

INSTRUCTIONS = (
    "agentdb watches this work from inside PostgreSQL.  Log a step when you have "
    "reached something new, claim what you have done, take a lock before work that "
    "must not be done twice, and ask a person where you cannot know."
)


def serve(agent: Agent, purpose: str | None) -> None:
    """Serve on standard input and output until it is closed; the run ends with it.

    SIGTERM, SIGHUP and Ctrl-C cancel the run, and end the process as they always do:
    with 128 and the signal's number.
    """
    with agent.run(purpose) as run:
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(each, partial(_cancelled, run))
        asyncio.run(_serve(run))


def _cancelled(run: Run, number: int, frame: FrameType | None) -> None:
    """End the run, and the process, whose thread that reads waits for more input."""

    def end() -> None:
        run.end("cancelled", signal.Signals(number).name)
        os._exit(128 + number)

    # Not here: what a signal comes in between may hold what this waits for.
    threading.Thread(target=end, name="agentdb-end").start()


async def _serve(run: Run) -> None:
    server = server_of(run, offered(run))
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def offered(run: Run) -> dict[str, Function]:
    """Return the functions that the run's role may call, by name."""
    found = run.rows(FUNCTIONS, [as_json(list(OFFERED))])
    return {
        row["name"]: Function(
            row["name"], row["description"], row["reads"],
            tuple(Argument(**each) for each in json.loads(row["arguments"])),
        )
        for row in found
    }  # fmt: skip


def server_of(run: Run, functions: dict[str, Function]) -> Server[Any]:
    """Return a server that offers functions to be called for a run."""
    tools = [
        types.Tool(
            name=each.name,
            description=each.description,
            input_schema=each.schema,
            annotations=types.ToolAnnotations(read_only_hint=each.reads),
        )
        for each in functions.values()
    ]

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(
        context: Any, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        function = functions.get(params.name)
        if function is None:
            names = ", ".join(functions)
            return _failed(f"there is no tool {params.name}; there are {names}")
        return await asyncio.to_thread(_call, run, function, params.arguments or {})

    return Server(
        "agentdb", version=__version__, instructions=INSTRUCTIONS,
        on_list_tools=list_tools, on_call_tool=call_tool,
    )  # fmt: skip


def _call(run: Run, function: Function, given: dict[str, Any]) -> types.CallToolResult:
    """Call a function and return its rows, or what it was refused with."""
    if unknown := given.keys() - function.types.keys():
        has = ", ".join(function.types) or "none"
        return _failed(f"{function.name} has no argument {min(unknown)}; it has {has}")
    try:
        run.check()
        rows = run.ask_function(function.name, given, function.types)
    except Exception as error:
        # Also what PostgreSQL says of a value that it cannot read.
        return _failed(describe(error))
    text = json.dumps(rows, default=str, ensure_ascii=False)
    told = [text]
    # What is in the rows has been said.
    if (advice := run.new_advice()) and advice not in [r.get("advice") for r in rows]:
        told.append(f"agentdb: {advice}")
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=each) for each in told],
        structured_content={"rows": json.loads(text)},
    )


def _failed(text: str) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], is_error=True
    )
