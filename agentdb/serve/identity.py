"""Who is asking: by a token, by the user at the other end of a socket, or nobody."""

from __future__ import annotations

from pwd import getpwuid
from typing import TYPE_CHECKING

from ..intake.peer import UNPROVEN, Peer
from .errors import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

    from .intake import Intake

# How the server names the other end of a unix socket, see listen.py.
UID = "uid:"


async def peer_of(request: Request, intake: Intake) -> Peer:
    """Return who sends a request.

    Raises Refused, 401, for a token that is none, and where one is needed; and Away
    where nobody can tell now.
    """
    if token := _token(request):
        peer = await intake.agent_of_token(token)
        if not peer.proven:
            raise Refused("the token is not known: agentdb intake token AGENT", 401)
        return peer
    if user := user_of(request):
        peer = await intake.agent_of_user(user)
        if peer.proven:
            return peer
    if intake.settings.token_required:
        raise Refused("an intake token is needed: agentdb intake token AGENT", 401)
    return UNPROVEN


def _token(request: Request) -> str:
    """Return the token in a header: Authorization: Bearer, or a header of our own."""
    if own := request.headers.get("x-agentdb-token"):
        return own.strip()
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def user_of(request: Request) -> str | None:
    """Return the user of this machine at the other end of a unix socket."""
    client = request.client
    if client is None or not client.host.startswith(UID):
        return None
    try:
        return getpwuid(int(client.host.removeprefix(UID))).pw_name
    except KeyError:
        return None
