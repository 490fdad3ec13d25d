"""An agent of LiteLLM: `litellm.callbacks = [Recorded(run)]`, tools by `run.call`."""

from __future__ import annotations

import json
from typing import Any

import litellm

from agentdb import Agent
from agentdb.adapters.litellm import Recorded
from agentdb.client import Looping, Run

TOOLS = [
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


def main(agent: Agent | None = None, model: str = "openai/gpt-5", **how: Any) -> str:
    """Ask the model about an order."""
    said: Any = [{"role": "user", "content": "Where is order 4711?"}]
    with (agent or Agent.from_env()).run("answer a customer") as run:
        litellm.callbacks = [Recorded(run)]
        while True:
            answer: Any = litellm.completion(
                model=model, messages=said, tools=TOOLS, **how
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
