"""Who is let in to the page, and by what it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
MODES = ("link", "database", "proxy", "oidc")
# A user of this machine at the other end of a unix socket, as --proxy-from names it.
UNIX = "unix:"


@dataclass(frozen=True)
class Oidc:
    """An issuer of identities, and what it knows this server by."""

    issuer: str
    client: str
    secret: str = field(repr=False, default="")
    #: sub, or email where the issuer says that it is verified.
    subject: str = "sub"

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and not _is_local(parts.hostname):
            raise ValueError(f"{self.issuer} is no https:// address")


@dataclass(frozen=True)
class DoorSettings:
    """The ways in, and their bounds.  Times are in seconds."""

    #: Of link, database, proxy, oidc, and socket.
    modes: frozenset[str]
    public_url: str = ""
    proxy_header: str = "X-Forwarded-User"
    proxy_networks: tuple[Network, ...] = ()
    proxy_users: frozenset[str] = frozenset()
    oidc: Oidc | None = None

    #: The longest that a session lasts, and unused.
    longest: float = 12 * 3600.0
    idle: float = 3600.0
    #: The same where it holds a password.
    idle_database: float = 1800.0
    most_sessions: int = 1000
    most_of_one: int = 10
    #: How long rights are believed that a page shows; each action asks again.
    believed: float = 5.0

    def __post_init__(self) -> None:
        if "proxy" in self.modes and not (self.proxy_networks or self.proxy_users):
            raise ValueError("--login proxy needs --proxy-from")
        if "oidc" in self.modes and self.oidc is None:
            raise ValueError("--login oidc needs --oidc-issuer and --oidc-client")
        parts = urlsplit(self.public_url)
        if self.public_url and not (
            parts.scheme in ("http", "https") and parts.netloc and not parts.query
        ):
            raise ValueError(f"{self.public_url} is no http:// or https:// address")
        if parts.path.strip("/"):
            raise ValueError("the page is at the root of its address: no path there")

    @property
    def secure(self) -> bool:
        """Return whether browsers come by https."""
        return self.public_url.startswith("https://")

    @property
    def public_origin(self) -> str:
        """Return the public address without its path; empty where there is none."""
        return self.public_url.rstrip("/")


def peers(given: Iterable[str]) -> tuple[tuple[Network, ...], frozenset[str]]:
    """Return networks and users from which a proxy comes; raises ValueError."""
    networks, users = [], set()
    for each in given:
        if each.startswith(UNIX):
            users.add(each.removeprefix(UNIX))
        else:
            networks.append(ip_network(each))
    return tuple(networks), frozenset(users)


def _is_local(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
