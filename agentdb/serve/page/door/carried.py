"""Who is named by the way that a request came: a proxy's header, or a unix socket."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from starlette.requests import Request

from ...errors import Refused
from ...identity import UID, user_of

if TYPE_CHECKING:
    from .settings import DoorSettings

LONGEST = 254


def carried(request: Request, settings: DoorSettings) -> tuple[str, str] | None:
    """Return mode and subject; raises Refused for what no proxy of ours sends."""
    if "proxy" in settings.modes and is_proxy(request, settings):
        return _of_header(request.headers.getlist(settings.proxy_header))
    if "socket" in settings.modes and (user := user_of(request)):
        return "socket", f"user {user}"
    return None


def is_proxy(request: Request, settings: DoorSettings) -> bool:
    """Return whether a request comes from where a proxy is."""
    client = request.client.host if request.client else ""
    if client.startswith(UID):
        return user_of(request) in settings.proxy_users
    try:
        address = ip_address(client)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in settings.proxy_networks)


def _of_header(values: list[str]) -> tuple[str, str] | None:
    if not values:
        return None
    # A second one is the client's own, which the proxy has let through.
    named = _decoded(values[0]) if len(values) == 1 else ""
    if not is_plain(named):
        raise Refused("the proxy does not name one person", 400)
    return "proxy", named


def _decoded(value: str) -> str:
    """Return a header as the text that was meant: in UTF-8, as people are mapped."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return ""


def is_plain(subject: str) -> bool:
    """Return whether a name is one that others may bring along.

    With a blank begins what this server alone says: role NAME, user NAME.
    """
    return (
        0 < len(subject) <= LONGEST
        and subject.isprintable()
        and not any(c.isspace() or c in ',;"' for c in subject)
    )
