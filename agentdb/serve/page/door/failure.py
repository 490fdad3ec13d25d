"""What went wrong, as a page: what the database said, and what to do about it."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from ...errors import Away, Refused
from .. import render

logger = logging.getLogger("agentdb.serve")

TITLES = {400: "Not understood", 403: "Refused", 404: "Not there", 405: "Not so",
          413: "Too much", 415: "Not understood", 429: "Too many at once",
          500: "A fault of agentdb", 503: "Not now"}  # fmt: skip


NOT_DONE = "The database is away: what you sent was not done."
NOT_KNOWN = (
    "The database went away meanwhile: whether what you sent was done is not known."
    " Look once it is back, before you send it again."
)


def error_page(
    request: Request,
    status: int,
    said: str,
    hint: str = "",
    code: str = "",
    *,
    there: str = "",
) -> Response:
    """Return a page that says what went wrong, and leads back to `there`."""
    given = {
        "status": status,
        "heading": TITLES.get(status, "Not so"),
        "said": said,
        "hint": hint,
        "code": code,
        "there": there,
    }
    return render.page(request, "error.html", given, status)


def handlers() -> dict[Any, ExceptionHandler]:
    """Return what turns exceptions into pages."""
    return {
        HTTPException: _http,
        psycopg.Error: _database,
        PoolTimeout: _database,
        Away: _database,
        Refused: _refused,
        Exception: _fault,
    }


def is_away(error: BaseException) -> bool:
    """Return whether the database was not there, or too slow."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, PoolTimeout | Away | OSError)
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError | PoolTimeout)
    return state.startswith(("08", "53", "57P"))


def words(error: psycopg.Error) -> tuple[str, str]:
    """Return what the database said, and its hint."""
    diagnostic = error.diag
    said = diagnostic.message_primary or str(error).split("\n")[0]
    if diagnostic.message_detail:
        said = sentences(said, diagnostic.message_detail)
    return said, diagnostic.message_hint or ""


def sentences(*parts: str) -> str:
    """Return parts one after the other, each ended once; the last as it stands."""
    return ". ".join([*(each.rstrip(".") for each in parts[:-1]), parts[-1]])


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # Whoever looked for something has said what it is.
    said = "There is no such page." if error.detail == "Not Found" else error.detail
    return error_page(request, error.status_code, said)


async def _database(request: Request, error: Exception) -> Response:
    return database_page(request, error)


def database_page(request: Request, error: Exception) -> Response:
    """Return a page that says what the database refused, or that it is away."""
    if is_away(error) or not isinstance(error, psycopg.Error):
        return error_page(request, 503, "The database is away.")
    said, hint = words(error)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return error_page(request, 403, said, hint or _grant(request), "42501")
    if isinstance(error, psycopg.errors.QueryCanceled):
        return error_page(request, 503, "The database took too long to answer.")
    if isinstance(error, psycopg.DataError):
        # A number that is too large, a text that is none: of who asks, not of ours.
        return error_page(request, 400, said, hint, error.sqlstate or "")
    if (error.sqlstate or "").startswith("ZA"):
        status = 404 if error.sqlstate == "ZA006" else 400
        return error_page(request, status, said, hint, error.sqlstate or "")
    logger.error("agentdb: %s: %s", request.url.path, said)
    return error_page(request, 500, said, hint, error.sqlstate or "")


def _grant(request: Request) -> str:
    """Say which GRANT is missing to read a page."""
    person = getattr(request.state, "person", None)
    if person and person.mode == "database":
        return (
            "A database login reads what its role may. Somebody who administers the"
            f" database types: {grant(person.role)}"
        )
    return (
        "agentdb serve logs in as a role that reads nothing: grant agentdb_web to it;"
    )


def grant(role: str | None) -> str:
    """Return what lets a role read all pages."""
    return f"grant agentdb_auditor to {quoted(role)};"


def quoted(role: str | None) -> str:
    """Return the name of a role as SQL has it."""
    name = role or ""
    plain = name.isidentifier() and name.isascii() and name == name.lower()
    return name if plain else '"' + name.replace('"', '""') + '"'


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error_page(request, error.status, str(error))


async def _fault(request: Request, error: Exception) -> Response:
    logger.error("agentdb: %s failed", request.url.path, exc_info=error)
    return error_page(request, 500, "It is written down in the log of agentdb serve.")
