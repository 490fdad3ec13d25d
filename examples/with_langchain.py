"""An agent of LangChain: `middleware=[Recorded(run)]` is all that it takes."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool

from agentdb import Agent
from agentdb.adapters.langchain import Recorded


@tool
def look_up(order: str) -> str:
    """Look an order up, in a shop that has none."""
    return f"there is no order {order}"


def main(agent: Agent | None = None, model: Any = "openai:gpt-5") -> str:
    """Ask the model about an order."""
    asked = {"messages": [{"role": "user", "content": "Where is order 4711?"}]}
    with (agent or Agent.from_env()).run("answer a customer") as run:
        assistant: Any = create_agent(model, [look_up], middleware=[Recorded(run)])
        return str(assistant.invoke(asked)["messages"][-1].text)


if __name__ == "__main__":
    print(main())
