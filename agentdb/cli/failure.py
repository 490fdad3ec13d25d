"""What a command says when it fails: one line, what to do next, and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from agentdb.errors import AgentdbError, from_database
from agentdb.harmless import harmless
from agentdb.process.interrupt import InDoubt

# Beside 0, and 1 for a failure or a finding: docs/errors.md lists them all.
MISUSE = 2
SOFTWARE = 70
CONFIGURATION = 78
INTERRUPTED = 130
CLOSED_PIPE = 141
TRACEBACK = "AGENTDB_TRACEBACK"


class Failure(click.ClickException):
    """What was seen and what to do next; further lines are details."""

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        code: int = 1,
        label: str = "Error",
    ) -> None:
        super().__init__(message)
        self.detail, self.hint, self.label = detail, hint, label
        self.code = code

    def format_message(self) -> str:
        """Return the message, with its detail and hint on lines of their own."""
        parts = {"": self.message, "detail: ": self.detail, "hint: ": self.hint}
        said = (prefix + text for prefix, text in parts.items() if text)
        # An error quotes what somebody wrote.
        return harmless("\n".join(said))


class Unconfigured(Failure):
    """An invalid configuration; the code is EX_CONFIG of sysexits.h."""

    exit_code = CONFIGURATION

    def __init__(self, error: Exception) -> None:
        super().__init__(
            str(error), code=CONFIGURATION, hint="agentdb config check, after the fix"
        )


def interrupted(error: KeyboardInterrupt, *, undone: bool = False) -> Failure:
    """Return what to say of a Ctrl-C; `undone` where all of it was one transaction."""
    said = "stopped by Ctrl-C"
    if isinstance(error, InDoubt):
        said = "while it was being committed: look whether it was before you try again"
    elif undone:
        said = "nothing was changed"
    return Failure(said, code=INTERRUPTED, label="interrupted")


def failure(error: BaseException, about: Mapping[str, Any] | None = None) -> Failure:
    """Return what to say of an error; `about` has the command and its connection."""
    from agentdb.config import Misconfigured
    from agentdb.local import LocalServerError

    cause = _only(error)
    if isinstance(cause, Failure):
        return cause
    if isinstance(cause, Misconfigured):
        return Unconfigured(cause)
    if isinstance(cause, AgentdbError):
        return Failure(str(cause), detail=cause.detail, hint=cause.hint)
    if isinstance(cause, LocalServerError):
        message, _, hint = str(cause).partition("\nhint: ")
        return Failure(message, hint=hint)
    return _from_database(cause, about or {}) or _unexpected(cause)


def _only(error: BaseException) -> BaseException:
    """Return the one error of a task group, or the driver's, else the error itself."""
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    if len(inner) == 1:
        return _only(inner[0])
    return getattr(error, "orig", None) or error


def _from_database(error: BaseException, about: Mapping[str, Any]) -> Failure | None:
    import psycopg

    from .remedy import remedy

    if (ours := from_database(error)) is not None:
        return Failure(str(ours), detail=ours.detail, hint=ours.hint or None)
    if not isinstance(error, psycopg.Error):
        return None
    return Failure(
        error.diag.message_primary or _first_line(str(error)),
        detail=error.diag.message_detail,
        hint=remedy(error, about) or error.diag.message_hint,
    )


def _first_line(said: str) -> str:
    """Return what libpq says first, or all of it where that only announces the rest."""
    first, *others = said.strip().splitlines() or [""]
    return " ".join([first, *map(str.strip, others)]) if first.endswith(":") else first


def _unexpected(error: BaseException) -> Failure:
    """Say what no command foresees, without a traceback unless it is wanted."""
    from agentdb.secret.redact import clean

    if os.environ.get(TRACEBACK):
        raise error
    said = clean(" ".join(str(error).split()))
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return Failure(f"{place}{error.strerror}", code=1)
    return Failure(
        f"{type(error).__name__}: {said}",
        hint=f"this is a fault of agentdb: run it again with {TRACEBACK}=1",
        code=SOFTWARE,
        label="unexpected",
    )


def ended(work: Callable[[], object]) -> int:
    """Run a command to its end and return its exit code, whatever happens."""
    try:
        code = work()
        if sys.stdout:
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        return _tell(error)
    except click.Abort as error:
        by_key = isinstance(error.__context__, KeyboardInterrupt)
        click.echo("aborted: nothing was changed", err=True)
        return INTERRUPTED if by_key else 1
    except BrokenPipeError:
        return closed_pipe().exit_code


def _tell(error: click.ClickException) -> int:
    """Print an error, the message first, and return its code."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        click.echo(error.format_message(), err=True)
        return error.exit_code
    label = getattr(error, "label", "Error")
    lines = [f"{label}: {error.format_message()}"]
    if isinstance(error, click.UsageError) and error.ctx and "\nhint: " not in lines[0]:
        lines.append(f"hint: {error.ctx.command_path} --help")
    try:
        click.echo("\n".join(lines), err=True)
    except BrokenPipeError:
        return closed_pipe().exit_code
    return error.code if isinstance(error, Failure) else error.exit_code


def closed_pipe() -> click.exceptions.Exit:
    """Say no more: nobody reads, and the interpreter would complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if stream:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    return click.exceptions.Exit(CLOSED_PIPE)
