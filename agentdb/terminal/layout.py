"""Lays rows out for a terminal: as a table where it fits, else one below the other."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from ..value import shown, text_of
from . import console as terminal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

Row: TypeAlias = dict[str, Any]
# Columns up to this width are never broken.
SHORT = 26
# A value beside its name needs so much room.
LEAST = 15
# Spaces between two columns.
GAP = 2
COLOURS = {
    "critical": "red",
    "firing": "red",
    "failed": "red",
    "warning": "yellow",
    "pending": "yellow",
    "ok": "green",
    "succeeded": "green",
    "resolved": "green",
}


@dataclass(frozen=True)
class Section:
    """One statement and how to print its rows.

    `below` names a column of long text that goes under its row, `hidden` one that
    only JSON shows; `card` prints a single row as one line a column, `page` as
    sentences and commands.  Where a `spare` one cannot be had, the others are shown
    all the same.  A `guest` is SQL that an operator wrote.
    """

    title: str
    statement: str
    empty: str = "nothing"
    below: str = ""
    hidden: str = ""
    card: bool = False
    page: bool = False
    spare: bool = False
    guest: bool = False


def print_table(
    section: Section, its: list[Row], console: Console | None = None
) -> None:
    """Print rows for a person, as wide as the terminal."""
    console = console or terminal.console()
    if not its:
        console.print(f"{section.title}: {section.empty}")
        return
    console.print(section.title, style="bold")
    if section.page:
        _print_page(its[0], console.width)
    elif section.card:
        console.print(_card(its[0], console.width, full=True))
    elif needed(section, its) <= console.width:
        console.print(_table(section, its))
    elif needed(section, told := _told(its)) <= console.width:
        console.print(_table(section, told))
    else:
        console.print(_records(section, its, console.width))


def _told(its: list[Row]) -> list[Row]:
    """Leave out the columns in which no row has anything."""
    names = [name for name in its[0] if any(row[name] is not None for row in its)]
    return [{name: row[name] for name in names} for row in its]


def _print_page(row: Row, width: int) -> None:
    """Print sentences as wide as the terminal, and what is to be copied unbroken."""
    for value in row.values():
        for line in value if isinstance(value, list) else [value]:
            text = shown(line) if line else ""
            if text.startswith(("agentdb ", "fix: ")) or text.endswith(";"):
                click.echo(f"  {text}")
            elif text:
                click.echo(textwrap.fill(text, width))


def _card(row: Row, width: int, *, full: bool = False) -> RenderableType:
    """Lay a single row out as a line a column, which fits on a phone."""
    from rich.table import Table

    if width - max(map(_cells, row)) < LEAST:
        return _stack(row, full=full)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in row.items():
        if value is not None:
            table.add_row(name, _cell(value, name, full=full))
    return table


def _stack(row: Row, *, full: bool) -> RenderableType:
    """Lay a single row out with each value below its name."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[RenderableType] = []
    for name, value in row.items():
        if value is not None:
            cell = _cell(value, name, full=full)
            parts += [Text(name, style="dim"), Padding(cell, (0, 0, 0, 2))]
    return Group(*parts)


def _records(section: Section, its: list[Row], width: int) -> RenderableType:
    """Lay rows out one below the other, each as a card."""
    from rich.console import Group

    shown = [
        {name: value for name, value in row.items() if name != section.hidden}
        for row in its
    ]
    parts: list[RenderableType] = []
    for row in shown:
        parts += [_card(row, width), ""]
    return Group(*parts[:-1])


def _widths(section: Section, its: list[Row]) -> dict[str, int]:
    """Return the columns of a table with the width of what is in each."""
    names = [name for name in its[0] if name not in (section.below, section.hidden)]
    return {
        name: max(_cells(name), *(_width(row[name], name) for row in its))
        for name in names
    }


def needed(section: Section, its: list[Row]) -> int:
    """Return how wide a terminal a table takes whose short columns are not broken."""
    widths = _widths(section, its)
    least = (max(_cells(name), min(width, SHORT)) for name, width in widths.items())
    return sum(least) + GAP * (len(widths) - 1)


def _table(section: Section, its: list[Row]) -> RenderableType:
    """Lay rows out in columns, each with its long text on lines of its own."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table

    widths = _widths(section, its)
    names = list(widths)
    parts: list[RenderableType] = []
    for number, row in enumerate(its):
        table = Table(
            box=None, pad_edge=False, show_header=not number, header_style="dim"
        )
        for name in names:
            fixed = widths[name] <= SHORT
            table.add_column(
                name,
                width=widths[name] if fixed else None,
                min_width=_cells(name),
                no_wrap=fixed,
                overflow="fold",
                justify="right" if _is_number(row[name]) else "left",
            )
        table.add_row(*(_cell(row[name], name) for name in names))
        parts.append(table)
        if row.get(section.below) is not None:
            parts.append(Padding(_cell(row[section.below]), (0, 0, 0, 2)))
    return Group(*parts)


def _width(value: object, name: str) -> int:
    return max(map(_cells, text_of(value, name).split("\n")))


def _cells(text: str) -> int:
    """Return how many places of a terminal a text takes: two a Chinese character."""
    from rich.cells import cell_len

    return cell_len(text)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal)


def _cell(value: object, name: str = "", *, full: bool = False) -> Text:
    from rich.text import Text

    text = text_of(value, name, full=full)
    return Text(text, style=COLOURS.get(text, ""))
