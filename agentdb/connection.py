"""Says how to reach the database: one connection string for every command."""

from __future__ import annotations

import os

PREFIXES = ("postgresql+psycopg://", "postgresql+pg8000://", "postgres://")


def dsn(given: str | None = None) -> str:
    """Return a libpq connection string: given, from AGENTDB_DSN, or from libpq."""
    text = given or os.environ.get("AGENTDB_DSN", "")
    for prefix in PREFIXES:
        if text.startswith(prefix):
            return "postgresql://" + text.removeprefix(prefix)
    return text


def shown(text: str) -> str:
    """Return a connection string fit for people: without its password."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parts = conninfo_to_dict(text)
    parts.pop("password", None)
    return make_conninfo("", **parts) or "libpq's defaults"
