"""Verifiers that installed packages bring; none is loaded to know its name."""

from __future__ import annotations

from importlib.metadata import entry_points

GROUP = "agentdb.verifiers"
BUILT_IN = ("command", "file", "http", "message", "rows")


def plugins() -> list[str]:
    """Return the names of the verifiers that installed packages bring."""
    return sorted({entry.name for entry in entry_points(group=GROUP)} - set(BUILT_IN))
