"""Prints what the database answers: as a table, as JSON, or as the SQL itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click
import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from .. import guest as guests
from ..harmless import harmless
from ..value import Number, json_of, shown, span
from .layout import Row, Section, print_table

if TYPE_CHECKING:
    from typing_extensions import LiteralString

__all__ = [
    "Row",
    "Section",
    "connect",
    "how",
    "print_json",
    "print_table",
    "query",
    "rows",
    "show",
    "shown",
    "span",
]

F = TypeVar("F", bound=Callable[..., Any])
LIMITS = """
set transaction read only;
set local statement_timeout = '30s';
set local lock_timeout = '5s';
set local timezone = 'UTC';
"""


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
def connect(dsn: str, *, guest: bool = False) -> Iterator[psycopg.Connection[Row]]:
    """Open a transaction that only reads and gives up rather than hang.

    Nothing is set for a session or prepared in it: a pooler would not keep it.  With a
    `guest` SQL that operators wrote can be run in it.
    """
    with psycopg.connect(
        dsn,
        row_factory=dict_row,
        connect_timeout=5,
        application_name="agentdb",
        prepare_threshold=None,
    ) as connection:
        set_json_loads(_loads, connection)
        if guest:
            guests.invite(connection)
        connection.execute(LIMITS)
        yield connection
        if guest:
            connection.rollback()


def _loads(text: str | bytes) -> object:
    """Return JSON that people or agents wrote, as text where Python cannot read it."""
    try:
        return json.loads(text, parse_float=Number)
    except (RecursionError, ValueError):
        return text if isinstance(text, str) else text.decode()


def rows(connection: psycopg.Connection[Row], section: Section) -> list[Row]:
    """Return the rows of a section."""
    if not section.spare:
        return connection.execute(section.statement.encode()).fetchall()
    try:
        with connection.transaction():
            if section.guest:
                return guests.ask(connection, section.statement)
            return connection.execute(section.statement.encode()).fetchall()
    except guests.Unsafe as error:
        return [{"error": str(error)}]
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
            click.echo(harmless(f"-- {section.title}\n{section.statement};"))
        return []
    guest = any(section.guest for section in sections)
    with connect(connection_string, guest=guest) as connection:
        found = [rows(connection, section) for section in sections]
    if as_json:
        print_json(sections, found)
    else:
        for place, (section, its) in enumerate(zip(sections, found, strict=True)):
            if place:
                click.echo()
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
    click.echo(json_of(answer, indent=2))
