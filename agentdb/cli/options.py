"""Options that many commands share."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from agentdb.connection import dsn as resolve

from .failure import closed_pipe, failure, interrupted

F = TypeVar("F", bound=Callable[..., Any])


def _resolved(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """Return a connection string, and keep it for those who explain an error."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    text = resolve(value)
    try:
        conninfo_to_dict(text)
    except ProgrammingError:
        # The original quotes what it stumbled over, perhaps the password.
        raise click.BadParameter(
            "not a connection string: give a postgresql:// URL or key=value pairs"
        ) from None
    ctx.meta["dsn"] = text
    ctx.meta["command"] = _path(ctx)
    return text


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


def reports_errors(function: F) -> F:
    """Turn whatever goes wrong into a message with a hint, without a traceback."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except BrokenPipeError as error:
            raise closed_pipe() from error
        except SystemExit as error:
            # So does rich leave.
            if isinstance(error.__context__, BrokenPipeError):
                raise closed_pipe() from error
            raise
        except KeyboardInterrupt as error:
            raise interrupted(error) from None
        except Exception as error:
            raise failure(error, about()) from error

    return cast(F, wrapper)


def about() -> dict[str, Any]:
    """Return which command is at work, as in 'lock release', and its connection."""
    context = click.get_current_context(silent=True)
    return dict(context.meta) if context else {}


def _path(context: click.Context) -> str:
    """Return the words of a command, without the program's."""
    names: list[str] = []
    while context.parent is not None:
        names.insert(0, context.info_name or "")
        context = context.parent
    return " ".join(names)


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


def key_json(key: str) -> str:
    """Return a key as JSON: an object as it stands, anything else as a string."""
    try:
        if isinstance(json.loads(key), dict):
            return key
    except ValueError:
        pass
    return json.dumps(key)
