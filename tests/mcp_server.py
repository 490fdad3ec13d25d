"""An MCP server for the tests of the gateway: run as a program."""

import sys
import time
from typing import Annotated, Any

from mcp.server.mcpserver import Context, Elicit, Image, MCPServer, Resolve
from mcp.server.mcpserver.resolve import Sample
from mcp_types import CreateMessageResult, SamplingMessage, TextContent
from pydantic import BaseModel

server = MCPServer("shop", log_level="CRITICAL")


class Answer(BaseModel):
    sure: bool


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def fail(why: str) -> str:
    """Fail."""
    raise ValueError(why)


@server.tool()
def slow(seconds: float) -> str:
    """Take long."""
    time.sleep(seconds)
    return "done"


@server.tool()
def picture() -> Image:
    """Return what is no text, and large."""
    return Image(data=bytes(range(256)) * 1024, format="png")


async def surely() -> Elicit[Answer]:
    return Elicit("Are you sure?", Answer)


@server.tool()
def ask(answer: Annotated[Answer, Resolve(surely)]) -> str:
    """Ask the client for something before it goes on."""
    return f"sure: {answer.sure}"


async def thought() -> Sample:
    said = SamplingMessage(role="user", content=TextContent(type="text", text="why?"))
    return Sample([said], max_tokens=5)


@server.tool()
def think(answer: Annotated[CreateMessageResult, Resolve(thought)]) -> str:
    """Have the client's model think."""
    assert isinstance(answer.content, TextContent)
    return f"it thinks {answer.content.text}"


@server.tool()
async def progress(ctx: Context[Any]) -> str:
    """Report on the way."""
    for part in range(3):
        await ctx.report_progress(part, 3)
    return "reported"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
