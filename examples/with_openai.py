"""An agent of the OpenAI SDK alone: `recorded(run, OpenAI())`, tools by `run.call`."""

from __future__ import annotations

import json
from typing import Any

from openai import OpenAI

from agentdb import Agent
from agentdb.adapters.sdk import recorded
from agentdb.client import Looping, Run

TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "parameters": {
                "type": "object",
                "properties": {"order": {"type": "string"}},
                "required": ["order"],
            },
        },
    }
]


def look_up(order: str) -> str:
    """Look an order up, in a shop that has none."""
    return f"there is no order {order}"


def answered(run: Run, call: Any) -> str:
    """Return what a tool says to a call of the model, or that it leads nowhere."""
    given = json.loads(call.function.arguments)
    try:
        return run.call(
            call.function.name, given, lambda: look_up(**given), call_id=call.id
        )
    except Looping as looping:
        return looping.advice


def main(
    agent: Agent | None = None, client: OpenAI | None = None, model: str = "gpt-5"
) -> str:
    """Ask the model about an order."""
    said: Any = [{"role": "user", "content": "Where is order 4711?"}]
    with (agent or Agent.from_env()).run("answer a customer") as run:
        assistant = recorded(run, client or OpenAI())
        while True:
            answer = assistant.chat.completions.create(
                model=model, messages=said, tools=TOOLS
            )
            message = answer.choices[0].message
            if not message.tool_calls:
                return message.content or ""
            said.append(message)
            for call in message.tool_calls:
                text = answered(run, call)
                said.append({"role": "tool", "tool_call_id": call.id, "content": text})


if __name__ == "__main__":
    print(main())
