"""Options and errors that many commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from agentdb.connection import dsn as resolve
from agentdb.errors import from_database

F = TypeVar("F", bound=Callable[..., Any])


def _resolved(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    return resolve(value)


dsn = click.option(
    "--dsn",
    callback=_resolved,
    metavar="DSN",
    help="Connection string; else AGENTDB_DSN, else libpq's variables.",
)


only_dsn = click.option(
    "--dsn", metavar="DSN", help="The only database; else those of the file."
)

config = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="AGENTDB_CONFIG",
    help="TOML file; see docs/runner.md.",
)


class Unconfigured(click.ClickException):
    """A configuration that cannot be meant; the code is EX_CONFIG of sysexits.h."""

    exit_code = 78

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))


class Failure(click.ClickException):
    """A failure with what was seen and what to do next, as the database told it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(_describe(error))


def reports_errors(function: F) -> F:
    """Turn what database and configuration say into messages, without a traceback."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except click.ClickException:
            raise
        except Exception as error:
            if _is_misconfigured(error):
                raise Unconfigured(error) from error
            cause = _only(error)
            if not _is_from_database(cause):
                raise
            raise Failure(cause) from error

    return cast(F, wrapper)


def _only(error: Exception) -> Exception:
    """Return the one error of a task group, else the error itself."""
    inner: tuple[Exception, ...] = getattr(error, "exceptions", ())
    return _only(inner[0]) if len(inner) == 1 else error


def _is_misconfigured(error: Exception) -> bool:
    from agentdb.config import Misconfigured

    return isinstance(error, Misconfigured)


def _is_from_database(error: Exception) -> bool:
    import psycopg

    return isinstance(getattr(error, "orig", error), psycopg.Error)


def _describe(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    parts: dict[str, str | None]
    if (ours := from_database(cause)) is not None:
        parts = {"": str(ours), "detail: ": ours.detail, "hint: ": ours.hint}
    else:
        diag = getattr(cause, "diag", None)
        first = getattr(diag, "message_primary", None) or str(cause).strip()
        detail = getattr(diag, "message_detail", None)
        parts = {"": first, "detail: ": detail, "hint: ": _hint(cause)}
    return "\n".join(prefix + text for prefix, text in parts.items() if text)


def number_of(text: str, letter: str) -> int | None:
    """Return the number that 12 or, by its letter, A-12 names; None for other words."""
    digits = text.upper().removeprefix(f"{letter}-")
    return int(digits) if digits.isdecimal() and len(digits) <= 18 else None


def number_of_run(text: str) -> int | None:
    """Return a run's number, also from R-12, or None for any other word."""
    return number_of(text, "R")


def end_in_order(number: int, frame: object) -> None:
    """Handle SIGTERM as Ctrl-C is: what was started is stopped on the way out."""
    raise SystemExit(0)


HINTS = {
    "3F000": "Install the pack first: agentdb install",
    "42P01": "Is the pack installed, and of this version?  agentdb install --check",
    "42501": "Connect as a member of agentdb_operator or agentdb_auditor.",
    "2BP01": "Drop what depends on agentdb first, then uninstall again.",
}


def _hint(error: BaseException) -> str | None:
    """Return what to do about an error of PostgreSQL's own."""
    return HINTS.get(getattr(error, "sqlstate", None) or "")
