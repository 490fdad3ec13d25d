"""Debuggable, safe agents in plain Postgres."""

from __future__ import annotations

# What `typing` has costs a hook, which starts for each event, 5 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .client import Agent as Agent
    from .client import AsyncAgent as AsyncAgent

__version__ = "0.1.0.dev0"
# The newest revision of the database that this release knows.
REVISION = "0001"


def __getattr__(name: str) -> Any:
    """Import the client when it is asked for: the commands do without it."""
    if name in ("Agent", "AsyncAgent"):
        from . import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
