"""What `agentdb serve` was told, and the bounds of what it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Settings:
    """Where to listen, whom to believe, and how much of it at once.

    Sizes are in bytes, times in seconds.
    """

    #: None: on the unix socket alone.
    host: str | None = "127.0.0.1"
    port: int = 4318
    socket: Path | None = None
    token_required: bool = False
    #: Names by which a proxy, or a client by name, may ask for this server.
    names: frozenset[str] = field(default_factory=frozenset)
    #: Host and port of the page's public address; None where there is none.
    public: str | None = None

    #: The longest body, as it came and unpacked.
    longest: int = 16 * MIB
    #: One span, log record or metric.
    longest_element: int = 2 * MIB
    #: Elements of one request: the rest of it is rejected.
    most_elements: int = 100_000
    #: Bodies that are read or waited for, all together.
    held: int = 64 * MIB
    #: Events that wait for their commit, of all clients.
    queued: int = 50_000
    #: Events of one commit.
    batch: int = 500
    #: What they have together, as it came.
    batch_size: int = MIB
    #: For the head and body of a request.
    read_within: float = 20.0
    #: For one commit: then the database counts as away.
    commit_within: float = 5.0
    #: What a client is told to wait.
    retry_after: int = 2
    #: How long a proof is believed, and so how late a revoked token ends.
    believed: float = 5.0

    def __post_init__(self) -> None:
        if self.host is None:
            if self.socket is None:
                raise ValueError("there is nothing to listen on")
        elif not (is_loopback(self.host) or self.token_required):
            raise ValueError(f"{self.host} can be reached by others: require a token")


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
