"""Prints what the database answers: as a table, as JSON, or as the SQL itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import LiteralString

Row: TypeAlias = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])
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
    """One statement and what to print above its rows."""

    title: str
    statement: str
    empty: str = "nothing"


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
    return connection


def rows(connection: psycopg.Connection[Row], section: Section) -> list[Row]:
    """Return the rows of a section."""
    return connection.execute(section.statement.encode()).fetchall()


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
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console(highlight=False, emoji=False, markup=False)
    if not its:
        console.print(Text(f"{section.title}: {section.empty}"))
        return
    table = Table(title=section.title, title_justify="left", box=None, pad_edge=False)
    for name in its[0]:
        numbers = all(isinstance(row[name], int | float) for row in its)
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in its:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)


def _cell(value: object) -> Any:
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
    if isinstance(value, int):
        return f"{value:,}"
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
