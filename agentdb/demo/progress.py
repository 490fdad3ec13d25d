"""A progress bar over the events of all replayed runs."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich import progress as bars
from rich.console import Console

from .recording import Event


class Progress:
    """Counts events and tokens while runs are replayed."""

    def __init__(self, console: Console, *, jobs: Sequence[Sequence[Event]]) -> None:
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=24),
            bars.TextColumn("{task.completed:,} of {task.total:,} events"),
            bars.TimeElapsedColumn(),
            console=console,
        )
        total = sum(len(events) for events in jobs)
        self._task = self._bar.add_task(f"replaying {len(jobs)} runs", total=total)

    def advance(self, event: Event) -> None:
        """Count an event that was replayed."""
        self._bar.advance(self._task)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()
