"""Debuggable, safe agents in plain Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Agent as Agent

__version__ = "0.1.0.dev0"
# The newest revision of the database that this release knows.
REVISION = "0001"


def __getattr__(name: str) -> Any:
    """Import `Agent` when it is asked for: the commands do without it."""
    if name == "Agent":
        from .client import Agent

        return Agent
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
