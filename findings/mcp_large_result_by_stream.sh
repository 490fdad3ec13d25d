#!/usr/bin/env bash
# Whether the client of MCP's Python SDK takes a tool's result depends on how it comes.
# A picture of 1 MB is taken over standard input and output, and over HTTP in the later
# protocol, where it is the JSON body of the answer.  In the earlier protocol the same
# server sends it as one event of a stream, and the client refuses what is above 1 MiB:
# the call fails although the tool has run, and nothing says so beforehand.
#
# Versions: mcp 2.3.0.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
server=
trap 'test -z "$server" || kill "$server"; rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "mcp==2.3.0"

cat > "$place/server.py" <<'PYTHON'
import sys

from mcp.server.mcpserver import Image, MCPServer

server = MCPServer("pictures", log_level="CRITICAL")


@server.tool()
def picture(kilobytes: int) -> Image:
    return Image(data=bytes(1024 * kilobytes), format="png")


if len(sys.argv) > 1:
    server.run("streamable-http", port=int(sys.argv[1]))
else:
    server.run("stdio")
PYTHON

cat > "$place/look.py" <<'PYTHON'
import asyncio
import sys

from mcp import Client, StdioServerParameters

place, port = sys.argv[1:]
WAYS = {
    "stdio": StdioServerParameters(command=sys.executable, args=[f"{place}/server.py"]),
    "http": f"http://127.0.0.1:{port}/mcp",
}


def causes(error):
    for each in getattr(error, "exceptions", ()):
        yield from causes(each)
    yield error


async def look(way, mode):
    async with Client(WAYS[way], mode=mode) as client:
        for kilobytes in (512, 1024):
            result = await client.call_tool("picture", {"kilobytes": kilobytes})
            print(f"{way}, {client.protocol_version}, {kilobytes} kB: taken")
            assert len(result.content[0].data) > 1024 * kilobytes


for way in WAYS:
    for mode in ("auto", "legacy"):
        try:
            asyncio.run(look(way, mode))
        except BaseException as error:
            print(f"{way}, {mode}: {next(causes(error))}")
PYTHON

port=$("$place/venv/bin/python" -c 'import socket
with socket.create_server(("127.0.0.1", 0)) as found: print(found.getsockname()[1])')
"$place/venv/bin/python" "$place/server.py" "$port" 2> "$place/log" &
server=$!
until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do sleep 0.1; done

"$place/venv/bin/python" "$place/look.py" "$place" "$port" 2> "$place/errors" \
  | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
stdio, 2026-07-28, 512 kB: taken
stdio, 2026-07-28, 1024 kB: taken
stdio, 2025-11-25, 512 kB: taken
stdio, 2025-11-25, 1024 kB: taken
http, 2026-07-28, 512 kB: taken
http, 2026-07-28, 1024 kB: taken
http, 2025-11-25, 512 kB: taken
http, legacy: SSE stream failed: Server-sent event exceeded the 1048576 byte limit.
TEXT
