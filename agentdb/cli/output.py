"""Prints what the database answers: as a table, as JSON, or as the SQL itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click
import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text
    from typing_extensions import LiteralString

Row: TypeAlias = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])
# Columns up to this width are never broken.
SHORT = 26
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


def connect(dsn: str) -> psycopg.Connection[Row]:
    """Open a session that only reads and gives up rather than hang."""
    connection = psycopg.connect(
        dsn,
        autocommit=True,
        row_factory=dict_row,
        connect_timeout=5,
        application_name="agentdb",
        options="-c statement_timeout=30s -c lock_timeout=5s -c TimeZone=UTC "
        "-c default_transaction_read_only=on",
    )
    set_json_loads(_loads, connection)
    return connection


def _loads(text: str | bytes) -> object:
    """Return JSON that people or agents wrote, as text where Python cannot read it."""
    try:
        return json.loads(text)
    except (RecursionError, ValueError):
        return text if isinstance(text, str) else text.decode()


def rows(connection: psycopg.Connection[Row], section: Section) -> list[Row]:
    """Return the rows of a section."""
    try:
        return connection.execute(section.statement.encode()).fetchall()
    except psycopg.DatabaseError as error:
        if connection.closed or not section.spare:
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
        print_zone(sections, found)
    return found


def print_zone(sections: Sequence[Section], found: Sequence[list[Row]]) -> None:
    """Say in full in which time zone the times above are, if there are any."""
    times = (
        isinstance(value, datetime)
        for section, its in zip(sections, found, strict=True)
        for row in its
        for name, value in row.items()
        if name != section.hidden
    )
    if any(times):
        click.echo("times are in UTC")


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
    from rich.console import Console

    console = console or Console(highlight=False, emoji=False, markup=False)
    if not its:
        console.print(f"{section.title}: {section.empty}")
        return
    console.print(section.title, style="bold")
    if section.card:
        console.print(_card(its[0]))
    elif needed(section, its) <= console.width:
        console.print(_table(section, its))
    else:
        console.print(_records(section, its))


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


def _records(section: Section, its: list[Row]) -> RenderableType:
    """Lay rows out one below the other, each as a card."""
    from rich.console import Group

    shown = [
        {name: value for name, value in row.items() if name != section.hidden}
        for row in its
    ]
    parts: list[RenderableType] = []
    for row in shown:
        parts += [_card(row), ""]
    return Group(*parts[:-1])


def _widths(section: Section, its: list[Row]) -> dict[str, int]:
    """Return the columns of a table with the width of what is in each."""
    names = [name for name in its[0] if name not in (section.below, section.hidden)]
    return {
        name: max(_cells(name), *(_width(row[name]) for row in its)) for name in names
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
        table.add_row(*(_cell(row[name]) for name in names))
        parts.append(table)
        if row.get(section.below) is not None:
            parts.append(Padding(_cell(row[section.below]), (0, 0, 0, 2)))
    return Group(*parts)


def _width(value: object) -> int:
    return max(map(_cells, shown(value).split("\n")))


def _cells(text: str) -> int:
    """Return how many places of a terminal a text takes: two a Chinese character."""
    from rich.cells import cell_len

    return cell_len(text)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal)


def _cell(value: object) -> Text:
    from rich.text import Text

    text = shown(value)
    return Text(text, style=COLOURS.get(text, ""))


def shown(value: object) -> str:
    """Return a value as people read it: times in UTC, no noise, no escapes."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value.astimezone(timezone.utc):%m-%d %H:%M:%S}Z"
    if isinstance(value, timedelta):
        return span(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return number(value)
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in str(value))


def number(value: int | float | Decimal) -> str:
    """Return a number with as many digits as say something: 523,443 and 1.8."""
    if not math.isfinite(value) or value == int(value):
        return f"{value:,.0f}"
    size = abs(float(value))
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 1:
        return f"{value:.1f}".removesuffix(".0")
    places = 1 - math.floor(math.log10(size))
    return f"{value:.{places}f}".rstrip("0")


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
