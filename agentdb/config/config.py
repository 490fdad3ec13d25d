"""Holds the configuration of a runner; all times are in seconds."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from ..channels.link import is_base
from ..channels.registry import CHANNELS
from ..verify.claim import Limits
from .problem import Wrong

SITE = re.compile("[a-z0-9][a-z0-9_.-]{0,62}")
LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Settings:
    """Section [runner]; the defaults suit production."""

    # Under which the database knows this runner; by default host and process.
    name: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    # How late anything may be noticed that no event announces.
    poll: float = 1.0
    # The whole of one attempt to deliver, from name lookup to answer.
    deadline: float = 10.0
    # After this, a claimed notification that nobody marked is anybody's again.
    lease: float = 30.0
    # Deliveries in flight to one receiver; a hung one holds no more than these.
    slots: int = 8
    # Rules evaluated at the same time; a hanging one holds one until its timeout.
    evaluators: int = 2
    # How long a stopping runner tries to record what it has delivered.
    settle: float = 10.0
    # The operating system user that it should run as; by default anybody but root.
    user: str | None = None
    # Where people reach `agentdb serve`; messages link to its pages.
    public_url: str | None = None
    # Where this installation is at home; a copy elsewhere must not speak for it.
    site: str | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise Wrong("name", "must not be empty")
        for key in ("poll", "deadline", "settle"):
            if not 0.01 <= getattr(self, key) <= 600:
                raise Wrong(key, "0.01 to 600 seconds are possible")
        if not 2 * self.deadline <= self.lease <= 3600:
            raise Wrong("lease", "twice the deadline to 3600 seconds are possible")
        if not 2 <= self.slots <= 1000:
            raise Wrong("slots", "2 to 1000 are possible")
        if not 1 <= self.evaluators <= 50:
            raise Wrong("evaluators", "1 to 50 are possible")
        if self.site is not None and not SITE.fullmatch(self.site):
            raise Wrong("site", "1 to 63 of a-z, 0-9, dot, dash and underscore")
        if self.public_url is not None and not is_base(self.public_url):
            raise Wrong(
                "public_url", "an address like https://agentdb.example is wanted"
            )

    @property
    def batch(self) -> int:
        """How many notifications one claim may take."""
        return self.slots // 2


@dataclass(frozen=True)
class Rate:
    """Section [rate.RECEIVER]: the token bucket of a receiver."""

    per_second: float = 500.0
    burst: int = 1000

    def __post_init__(self) -> None:
        if not 0.001 <= self.per_second <= 1e6:
            raise Wrong("per_second", "0.001 to 1000000 are possible")
        if self.burst < 1:
            raise Wrong("burst", "1 at least")


@dataclass(frozen=True)
class Fallback:
    """Section [fallback]: who is told where no database can be asked whom to tell."""

    channel: str
    target: str | None = None
    secret_ref: str | None = None
    # How long a database may be out of reach: a server that is restarted is no news.
    after: float = 60.0

    def __post_init__(self) -> None:
        if not 1 <= self.after <= 3600:
            raise Wrong("after", "1 to 3600 seconds are possible")
        if self.channel not in CHANNELS:
            raise Wrong("channel", f"one of {', '.join(CHANNELS)} is meant")


@dataclass(frozen=True)
class Health:
    """Section [health]: where the pages about the runner are; nowhere by default."""

    address: str | None = None
    # The pages ask nobody for a password: only this machine may see them.
    remote: bool = False

    def __post_init__(self) -> None:
        if self.address is None:
            return
        try:
            loopback = ip_address(self.place[0]).is_loopback
        except ValueError:
            raise Wrong("address", "not like 127.0.0.1:9464") from None
        if not (loopback or self.remote):
            raise Wrong("address", "not of this machine: that needs remote = true")

    @property
    def place(self) -> tuple[str, int]:
        """Return address and port."""
        host, _, port = (self.address or "").rpartition(":")
        if not port.isdecimal() or int(port) > 65535:
            raise ValueError(self.address)
        return host.strip("[]"), int(port)


@dataclass(frozen=True)
class Ping:
    """Section [ping]: whom to tell, again and again, that all is well."""

    url: str | None = None
    every: float = 60.0

    def __post_init__(self) -> None:
        if not 1 <= self.every <= 86400:
            raise Wrong("every", "1 to 86400 seconds are possible")


@dataclass(frozen=True)
class Seal:
    """Section [seal]: the file to which the root of each seal of the audit is added."""

    file: str | None = None

    def __post_init__(self) -> None:
        if self.file is not None and not self.file.startswith("/"):
            raise Wrong("file", "an absolute path is wanted")


@dataclass(frozen=True)
class Log:
    """Section [log]; by default text on a terminal, else JSON."""

    format: str | None = None
    level: str = "info"

    def __post_init__(self) -> None:
        if self.format not in (None, "json", "text"):
            raise Wrong("format", "json or text is meant")
        if self.level not in LEVELS:
            raise Wrong("level", f"one of {', '.join(LEVELS)} is meant")


@dataclass(frozen=True)
class Config:
    """All that a runner is told."""

    # Connection strings by name, or references to them.
    databases: Mapping[str, str]
    runner: Settings = field(default_factory=Settings)
    verify: Limits = field(default_factory=Limits)
    # Argument vectors that the channel exec may run.
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # References that receivers may have, and where their secrets may be sent.
    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rates: Mapping[str, Rate] = field(default_factory=dict)
    fallback: Fallback | None = None
    health: Health = field(default_factory=Health)
    ping: Ping = field(default_factory=Ping)
    seal: Seal = field(default_factory=Seal)
    log: Log = field(default_factory=Log)
