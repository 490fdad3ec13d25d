"""An agent of openai-agents: hooks record, a guardrail tells the model of a loop."""

from __future__ import annotations

import asyncio
from typing import Any

from agents import Agent as Assistant
from agents import Runner, function_tool

from agentdb import Agent
from agentdb.adapters.openai_agents import Recorded, guardrail


def main(agent: Agent | None = None, model: Any = "gpt-5", turns: int = 10) -> str:
    """Ask the model about an order."""
    with (agent or Agent.from_env()).run("answer a customer") as run:

        @function_tool(tool_input_guardrails=[guardrail(run)])
        def look_up(order: str) -> str:
            """Look an order up, in a shop that has none."""
            return f"there is no order {order}"

        assistant = Assistant("shop", model=model, tools=[look_up])
        question = "Where is order 4711?"
        return str(
            asyncio.run(
                Runner.run(assistant, question, hooks=Recorded(run), max_turns=turns)
            ).final_output
        )


if __name__ == "__main__":
    print(main())
