"""An agent of pydantic-ai: `capabilities=[Recorded(run)]` is all that it takes."""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent as Assistant

from agentdb import Agent
from agentdb.adapters.pydantic_ai import Recorded


def look_up(order: str) -> str:
    """Look an order up, in a shop that has none."""
    return f"there is no order {order}"


def main(agent: Agent | None = None, model: Any = "openai:gpt-5") -> str:
    """Ask the model about an order."""
    with (agent or Agent.from_env()).run("answer a customer") as run:
        assistant = Assistant(model, tools=[look_up], capabilities=[Recorded(run)])
        return assistant.run_sync("Where is order 4711?").output


if __name__ == "__main__":
    print(main())
