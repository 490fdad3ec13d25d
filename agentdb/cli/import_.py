"""The command that takes in files of the past."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..harmless import harmless
from .failure import Failure
from .options import dsn

if TYPE_CHECKING:
    import psycopg

    from ..admin.imported import Imported
    from ..intake.event import Event

# What is older would be refused as gone; on a server of its own nothing is.
KEEP = "update agentdb.policy set log_retention = '100 years'"


@click.command(name="import")
@dsn
@click.option("--agent", help="Name it goes under; else the emitter's with -past.")
@click.option(
    "--local", is_flag=True, help="In a database of its own, gone at the end."
)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
def import_(dsn: str, agent: str | None, local: bool, files: tuple[Path, ...]) -> None:
    """Take in FILES of the past and say what would have been seen.

    Transcripts of Claude Code, Codex and Gemini CLI, OTLP in JSON, exports of
    LangSmith and Langfuse; of a folder, what is in it.  Each conversation becomes a run
    of the past, and every rule is asked about that time.  The same file again changes
    nothing.
    """
    import psycopg
    from psycopg.rows import dict_row

    from ..admin import imported
    from ..intake.event import NotThisFormat

    with ExitStack() as stack:
        where = _own_server(stack) if local else dsn
        connection = stack.enter_context(
            psycopg.connect(where, autocommit=True, row_factory=dict_row)
        )
        if local:
            connection.execute(KEEP)
        events = chain.from_iterable(
            _read(path, named=path in files) for path in _files(files)
        )
        try:
            done = imported.load(connection, _named(events, agent))
        except (NotThisFormat, OSError) as error:
            raise Failure(str(error), hint="agentdb import --help") from error
        _show(connection, done)


def _own_server(stack: ExitStack) -> str:
    from ..local import LocalServer
    from ..schema import install as installation

    click.echo("starting a PostgreSQL of our own …", err=True)
    server = stack.enter_context(LocalServer(fast=True))
    installation.install(server.dsn())
    return server.dsn()


def _files(given: tuple[Path, ...]) -> list[Path]:
    """Return the files, and those below folders."""
    return [
        each
        for path in given
        for each in ([path] if path.is_file() else sorted(path.rglob("*.json*")))
        if each.is_file()
    ]


def _read(path: Path, *, named: bool) -> Iterator[Event]:
    """Give the events of a file; one that a folder has may be something else."""
    from ..intake.event import NotThisFormat
    from ..intake.read import read

    click.echo(f"reading {harmless(str(path))} …", err=True)
    try:
        yield from read(path)
    except NotThisFormat as error:
        if named:
            raise
        click.echo(harmless(f"left out: {error}"), err=True)


def _named(events: Iterable[Event], agent: str | None) -> Iterator[Event]:
    """Give each event the agent that it goes under."""
    for event in events:
        emitter = str(event.get("emitter", "")).partition(" ")[0] or "emitter"
        yield event | {"agent": agent or f"{emitter}-past", "proven": True}


def _show(connection: psycopg.Connection[dict[str, Any]], done: Imported) -> None:
    from ..admin import imported
    from ..terminal.layout import Section, print_table

    counted = ", ".join(f"{n} {status}" for status, n in sorted(done.statuses.items()))
    click.echo(f"events: {counted or 'none'}")
    for problem, times in sorted(done.problems.items(), key=lambda each: -each[1])[:10]:
        click.echo(harmless(f"refused {times} times: {problem}"))
    if not done.runs:
        raise Failure("no event was taken", hint="agentdb import --help")
    found = imported.runs(connection, done.runs)
    print_table(Section("runs", "", "none"), found)
    click.echo("asking the rules about that time …", err=True)
    alerts = [vars(alert) for alert in imported.seen(connection, found)]
    print_table(Section("what would have been seen", "", "nothing"), alerts)
