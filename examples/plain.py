"""An agent without a framework: it gives up when it is told that it repeats itself."""

from __future__ import annotations

import time

from agentdb import Agent
from agentdb.client import Looping


def look_up(order: str) -> str:
    """Look an order up, in a shop that has none."""
    return f"there is no order {order}"


def main(agent: Agent | None = None) -> str:
    """Look for an order until somebody says that this leads nowhere."""
    with (agent or Agent.from_env()).run("answer a customer") as run:
        while True:
            with run.tokens(estimate=800) as spent:
                time.sleep(0.1)  # the model thinks
                spent.set(input=700, output=20, model="scripted")
            try:
                run.call("look_up", {"order": "4711"}, lambda: look_up("4711"))
            except Looping as looping:
                run.progress("gave up", reason=str(looping))
                return str(looping)


if __name__ == "__main__":
    print(main())
