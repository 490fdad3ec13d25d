"""An agent of the Anthropic SDK: `recorded(run, Anthropic())`, tools by `run.call`."""

from __future__ import annotations

from typing import Any

from anthropic import Anthropic

from agentdb import Agent
from agentdb.adapters.sdk import recorded
from agentdb.client import Looping, Run

TOOLS: Any = [
    {
        "name": "look_up",
        "input_schema": {
            "type": "object",
            "properties": {"order": {"type": "string"}},
            "required": ["order"],
        },
    }
]


def look_up(order: str) -> str:
    """Look an order up, in a shop that has none."""
    return f"there is no order {order}"


def answered(run: Run, asked: Any) -> dict[str, Any]:
    """Return what a tool says to a call of the model, or that it leads nowhere."""
    given = dict(asked.input)
    try:
        text = run.call(asked.name, given, lambda: look_up(**given), call_id=asked.id)
    except Looping as looping:
        text = looping.advice
    return {"type": "tool_result", "tool_use_id": asked.id, "content": text}


def main(
    agent: Agent | None = None,
    client: Anthropic | None = None,
    model: str = "claude-sonnet-4-5",
) -> str:
    """Ask the model about an order."""
    said: Any = [{"role": "user", "content": "Where is order 4711?"}]
    with (agent or Agent.from_env()).run("answer a customer") as run:
        assistant = recorded(run, client or Anthropic())
        while True:
            answer = assistant.messages.create(
                model=model, messages=said, tools=TOOLS, max_tokens=1000
            )
            asked = [each for each in answer.content if each.type == "tool_use"]
            if not asked:
                return "".join(
                    each.text for each in answer.content if each.type == "text"
                )
            said.append({"role": "assistant", "content": answer.content})
            said.append(
                {"role": "user", "content": [answered(run, each) for each in asked]}
            )


if __name__ == "__main__":
    print(main())
