#!/usr/bin/env bash
# A server of uvicorn that is given a socket (Server.run(sockets=[…])) answers on a
# connection that is kept alive some 40 ms later than one that binds by itself, when the
# socket was made as most are: socket.socket(AF_INET, SOCK_STREAM).  asyncio switches
# Nagle's algorithm off only where the socket's protocol is IPPROTO_TCP, and an accepted
# socket inherits the protocol 0 of the one that listens; h11 writes head and body apart,
# and the body waits for the client's delayed acknowledgement.
#
# Versions: uvicorn 0.54.0 with h11 0.16.0, the asyncio of Python 3.11.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
  "uvicorn==0.54.0" "h11==0.16.0"

cat > "$place/look.py" <<'PYTHON'
import socket
import threading
import time
import urllib.request

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol


class Protocol(H11Protocol):
    """Remembers whether a connection that was accepted waits."""

    seen = []

    def connection_made(self, transport):
        super().connection_made(transport)
        end = transport.get_extra_info("socket")
        self.seen.append(end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})


def nodelay(listening=None):
    config = uvicorn.Config(
        app, port=0, http=Protocol, lifespan="off", log_level="critical"
    )
    server = uvicorn.Server(config)
    given = {"sockets": [listening]} if listening else {}
    thread = threading.Thread(target=server.run, kwargs=given)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    ends = [listening] if listening else server.servers[0].sockets
    port = ends[0].getsockname()[1]
    urllib.request.urlopen(f"http://127.0.0.1:{port}/").read()
    server.should_exit = True
    thread.join()
    return Protocol.seen.pop()


def bound(*protocol):
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, *protocol)
    made.bind(("127.0.0.1", 0))
    return made


print("it binds by itself: TCP_NODELAY", nodelay())
print("a socket of the usual kind: TCP_NODELAY", nodelay(bound()))
print("one made with IPPROTO_TCP: TCP_NODELAY", nodelay(bound(socket.IPPROTO_TCP)))
PYTHON

"$place/venv/bin/python" "$place/look.py" | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
it binds by itself: TCP_NODELAY True
a socket of the usual kind: TCP_NODELAY False
one made with IPPROTO_TCP: TCP_NODELAY True
TEXT
