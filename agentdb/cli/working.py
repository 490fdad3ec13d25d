"""Shows that something long is at work, and what a Ctrl-C in it leaves: nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click

from ..terminal.console import console, plain
from .failure import interrupted

Step = Callable[[], None]


@contextmanager
def working(what: str, *, steps: int | None = None) -> Iterator[Step]:
    """Say what is at work, on a terminal with what is done, left and expected.

    All of it is one transaction, or only reads: of `steps` each calls what this
    gives.  What one statement has done so far nobody can see from outside, so then
    there is the time that it has taken.  In a pipe it is one line.
    """
    try:
        if sys.stderr and sys.stderr.isatty() and not plain():
            with _bar(what, steps) as step:
                yield step
        else:
            # Nobody who reads along any more is no reason to stop the work.
            with suppress(OSError):
                click.echo(f"{what} …", err=True)
            yield lambda: None
    except KeyboardInterrupt as error:
        raise interrupted(error, undone=True) from None


@contextmanager
def _bar(what: str, steps: int | None) -> Iterator[Step]:
    from rich import progress as bars

    columns: list[bars.ProgressColumn] = [
        bars.SpinnerColumn(),
        bars.TextColumn("{task.description}", markup=False),
    ]
    if steps is not None:
        columns += [bars.BarColumn(bar_width=24), bars.MofNCompleteColumn()]
    columns.append(bars.TimeElapsedColumn())
    if steps is not None:
        columns += [bars.TextColumn("left"), bars.TimeRemainingColumn()]
    with bars.Progress(
        *columns, console=console(stderr=True), transient=True
    ) as progress:
        task = progress.add_task(what, total=steps)
        yield lambda: progress.advance(task)
