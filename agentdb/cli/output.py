"""Prints what the database answers: as a table, as JSON, or as the SQL itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click
import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from . import terminal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text
    from typing_extensions import LiteralString

Row: TypeAlias = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])
LIMITS = """
set transaction read only;
set local statement_timeout = '30s';
set local lock_timeout = '5s';
set local timezone = 'UTC';
"""
# Columns up to this width are never broken.
SHORT = 26
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
    only JSON shows; `card` prints a single row as one line a column.  Where a
    `spare` one cannot be had, the others are shown all the same.
    """

    title: str
    statement: str
    empty: str = "nothing"
    below: str = ""
    hidden: str = ""
    card: bool = False
    spare: bool = False


def query(template: LiteralString, **values: object) -> str:
    """Return a statement with its values written in as literals."""
    literals = {name: sql.Literal(value) for name, value in values.items()}
    return sql.SQL(template).format(**literals).as_string(None).strip()


def how(function: F) -> F:
    """Add the options that choose what a reading command prints."""
    for option in (
        click.option("--sql", "as_sql", is_flag=True, help="Print the SQL instead."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ):
        function = option(function)
    return function


@contextmanager
def connect(dsn: str) -> Iterator[psycopg.Connection[Row]]:
    """Open a transaction that only reads and gives up rather than hang.

    Nothing is set for a session or prepared in it: a pooler would not keep it.
    """
    with psycopg.connect(
        dsn,
        row_factory=dict_row,
        connect_timeout=5,
        application_name="agentdb",
        prepare_threshold=None,
    ) as connection:
        set_json_loads(_loads, connection)
        connection.execute(LIMITS)
        yield connection


def _loads(text: str | bytes) -> object:
    """Return JSON that people or agents wrote, as text where Python cannot read it."""
    try:
        return json.loads(text)
    except (RecursionError, ValueError):
        return text if isinstance(text, str) else text.decode()


def rows(connection: psycopg.Connection[Row], section: Section) -> list[Row]:
    """Return the rows of a section."""
    if not section.spare:
        return connection.execute(section.statement.encode()).fetchall()
    try:
        with connection.transaction():
            return connection.execute(section.statement.encode()).fetchall()
    except psycopg.DatabaseError as error:
        if connection.closed:
            raise
        return [{"error": error.diag.message_primary}]


def show(
    connection_string: str, sections: Sequence[Section], *, as_sql: bool, as_json: bool
) -> list[list[Row]]:
    """Print sections in the form that was asked for and return their rows."""
    if as_sql:
        for section in sections:
            click.echo(f"-- {section.title}\n{section.statement};")
        return []
    with connect(connection_string) as connection:
        found = [rows(connection, section) for section in sections]
    if as_json:
        print_json(sections, found)
    else:
        for section, its in zip(sections, found, strict=True):
            print_table(section, its)
    return found


def print_json(sections: Sequence[Section], found: Sequence[list[Row]]) -> None:
    """Print one section's rows, or an object of several sections' rows."""
    answer: object = {s.title: r for s, r in zip(sections, found, strict=True)}
    if len(sections) == 1:
        answer = found[0]
    click.echo(json.dumps(answer, default=_as_json, indent=2, ensure_ascii=False))


def print_table(
    section: Section, its: list[Row], console: Console | None = None
) -> None:
    """Print rows for a person, as wide as the terminal."""
    to = console or terminal.console()
    if not its:
        to.print(f"{section.title}: {section.empty}")
        return
    to.print(section.title, style="bold")
    to.print(_card(its[0]) if section.card else _table(section, its))


def _card(row: Row) -> RenderableType:
    """Lay a single row out as a line a column, which fits on a phone."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in row.items():
        if value is not None:
            table.add_row(name, _cell(value))
    return table


def _table(section: Section, its: list[Row]) -> RenderableType:
    """Lay rows out in columns, each with its long text on lines of its own."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table

    names = [name for name in its[0] if name not in (section.below, section.hidden)]
    widths = {
        name: max(len(name), *(_width(row[name]) for row in its)) for name in names
    }
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
                no_wrap=fixed,
                overflow="fold",
                justify="right" if isinstance(row[name], int | float) else "left",
            )
        table.add_row(*(_cell(row[name]) for name in names))
        parts.append(table)
        if row.get(section.below) is not None:
            parts.append(Padding(_cell(row[section.below]), (0, 0, 0, 2)))
    return Group(*parts)


def _width(value: object) -> int:
    return max(map(len, shown(value).split("\n")))


def _cell(value: object) -> Text:
    from rich.text import Text

    text = shown(value)
    return Text(text, style=COLOURS.get(text, ""))


def shown(value: object) -> str:
    """Return a value as people read it: times in UTC with their age, no escapes."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value.astimezone(timezone.utc):%m-%d %H:%M:%S}Z"
    if isinstance(value, timedelta):
        return span(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,.12g}"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in str(value))


def span(value: timedelta) -> str:
    """Return a length of time with its two largest units."""
    seconds = int(value.total_seconds())
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts = []
    for size, unit in units:
        if seconds >= size:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
    return " ".join(parts[:2]) or "0 s"


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)
