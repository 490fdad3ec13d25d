"""An agent whose tools are those of an MCP server: `agentdb gateway --` before it.

The agent itself knows nothing of agentdb; AGENTDB_DSN is for the gateway.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from mcp import Client, StdioServerParameters
from mcp.server.mcpserver import MCPServer

shop = MCPServer("shop", log_level="CRITICAL")


@shop.tool()
def look_up(order: str) -> str:
    """Look an order up, in a shop that has none."""
    return f"there is no order {order}"


async def ask() -> str:
    """Look for an order until somebody says that this leads nowhere."""
    gateway = ["-m", "agentdb", "gateway", "--", sys.executable, __file__, "serve"]
    server = StdioServerParameters(
        command=sys.executable, args=gateway, env=dict(os.environ)
    )
    async with Client(server) as client:
        while True:
            said = await client.call_tool("look_up", {"order": "4711"})
            if said.is_error:
                return str(said.content[0])
            time.sleep(0.1)  # the model thinks


def main() -> str:
    """Run the agent."""
    return asyncio.run(ask())


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        shop.run("stdio")
    else:
        print(main())
