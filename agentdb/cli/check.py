"""The command for monitoring and cron: check."""

from __future__ import annotations

from pathlib import Path

import click

from ..harmless import harmless
from .failure import failure
from .options import config, only_dsn
from .read import EXIT_CODES, STATUS, UNKNOWN

NAMES = {code: state.upper() for state, code in EXIT_CODES.items()} | {
    UNKNOWN: "UNKNOWN"
}


@click.command()
@only_dsn
@config
def check(dsn: str | None, config: Path | None) -> None:
    """Say in a line for each database whether alerting works.

    Exits 0 if all is well, 1 on a warning, 2 if it is critical, 3 if unknown.
    """
    from agentdb.config import Misconfigured, read

    try:
        databases = read(config, dsn=dsn).databases
    except Misconfigured as error:
        click.echo(harmless(f"AGENTDB UNKNOWN - {error}"))
        raise click.exceptions.Exit(UNKNOWN) from error
    found = {name: _look(text) for name, text in databases.items()}
    for name, (code, said) in found.items():
        click.echo(harmless(f"AGENTDB {NAMES[code]} - {name}: {said}"))
    # What is critical goes before what nobody knows.
    codes = sorted((code for code, _ in found.values()), key=(0, 1, 3, 2).index)
    raise click.exceptions.Exit(codes[-1])


def _look(text: str) -> tuple[int, str]:
    """Return the worst state of a database, and what is behind it."""
    import psycopg
    from psycopg.conninfo import make_conninfo

    from agentdb.connection import parse
    from agentdb.secret.redact import clean

    from ..terminal.output import Section, connect, rows

    try:
        with connect(make_conninfo(**parse(text))) as connection:
            answers = rows(connection, Section("check", STATUS))
    except ValueError as error:
        return UNKNOWN, clean(str(error))
    except psycopg.Error as error:
        about = {"command": "check", "dsn": make_conninfo(**parse(text))}
        told = failure(error, about).format_message()
        return UNKNOWN, clean("; ".join(told.split("\n")))
    worst = max(EXIT_CODES[answer["state"]] for answer in answers)
    bad = [a for a in answers if EXIT_CODES[a["state"]] == worst and worst]
    said = "; ".join(f"{a['check_name']}: {a['detail']}" for a in bad or answers[:1])
    return worst, said
