"""The command that writes what a run did into a file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from ..report.read import read
from ..report.story import Story
from ..terminal.output import connect
from .failure import Failure
from .options import dsn
from .read import run_number

# Each form and the module of agentdb.report that writes it.
FORMS = {"md": "markdown", "json": "data", "html": "html"}


@click.command()
@dsn
@click.argument("run", callback=run_number)
@click.option("--with", "other", metavar="RUN", help="Beside it a run that went well.")
@click.option(
    "--format", "form", type=click.Choice(list(FORMS)),
    help="Else as the file is named, else md.",
)  # fmt: skip
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it into this file, else to standard output.",
)
@click.pass_context
def report(
    ctx: click.Context,
    dsn: str,
    run: int,
    other: str | None,
    form: str | None,
    out: Path | None,
) -> None:
    """Write what RUN did, for a post-mortem.

    Markdown, JSON, or one HTML file with its picture that needs nothing else.
    """
    form = form or (out.suffix.removeprefix(".") if out else "md")
    if form not in FORMS:
        raise click.UsageError(f"{out} ends in none of {', '.join(FORMS)}: --format …")
    numbers = [run]
    if other is not None:
        numbers.append(run_number(ctx, ctx.command.params[0], other))
    text = import_module(f"agentdb.report.{FORMS[form]}").render(*_read(dsn, numbers))
    if out is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise Failure(f"{out}: {error.strerror}") from error


def _read(dsn: str, runs: list[int]) -> list[Story]:
    stories = []
    with connect(dsn) as connection:
        for run in runs:
            story = read(connection, run)
            if story is None:
                raise Failure(f"there is no run {run}", hint="agentdb runs")
            stories.append(story)
    return stories
