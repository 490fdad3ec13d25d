"""Says how to reach the database: one connection string for every command."""

from __future__ import annotations

import os
from typing import Any

from .secret.redact import keep

PREFIXES = ("postgresql+psycopg://", "postgresql+pg8000://", "postgres://")


def dsn(given: str | None = None) -> str:
    """Return a libpq connection string: given, from AGENTDB_DSN, or from libpq."""
    return _for_libpq(given or os.environ.get("AGENTDB_DSN", ""))


def _for_libpq(text: str) -> str:
    for prefix in PREFIXES:
        if text.startswith(prefix):
            return "postgresql://" + text.removeprefix(prefix)
    return text


def parse(text: str) -> dict[str, Any]:
    """Return the parts of a connection string or of what a reference stands for.

    It is read anew each time: a password may have been changed in its file.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    from .secret.reference import resolve_target

    try:
        parts = conninfo_to_dict(_for_libpq(resolve_target(text) if text else ""))
    except psycopg.ProgrammingError:
        # The original quotes what it stumbled over, perhaps the password.
        message = "not a connection string: give a postgresql:// URL or key=value pairs"
        raise ValueError(message) from None
    if password := parts.get("password"):
        keep(str(password))
        keep(text)
    return parts


def shown(text: str) -> str:
    """Return a connection string fit for people: without its password."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parts = conninfo_to_dict(text)
    parts.pop("password", None)
    return make_conninfo("", **parts) or "libpq's defaults"
