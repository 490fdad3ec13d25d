"""The command that says on one page what is wrong and what fixes it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
import psycopg

from ..terminal.output import Section, connect, print_json, print_table, query, rows
from .options import config, dsn
from .read import EXIT_CODES, unknown

DOCTOR = "select check_name as check, state, detail, fix from agentdb.doctor"
ORDER = ("critical", "warning", "ok")


@click.command()
@dsn
@config
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(dsn: str, config: Path | None, as_json: bool) -> None:
    """Find what is wrong around agentdb, and what fixes it.

    Looks at database, roles, clocks, paths and receivers.

    Exits as monitoring plugins do: 0 ok, 1 warning, 2 critical, 3 unknown.
    """
    from agentdb.admin.doctor import findings
    from agentdb.config import read_secrets, read_settings

    user, secrets = read_settings(config).user, read_secrets(config)
    section = Section("doctor", query(DOCTOR), below="fix")
    try:
        with connect(dsn) as connection:
            found = rows(connection, section)
        ours = [
            asdict(finding) for finding in findings(dsn, user=user, secrets=secrets)
        ]
    except psycopg.Error as error:
        raise unknown(error) from error
    found += [{"check": o.pop("check_name"), **o} for o in ours]
    found.sort(key=lambda row: ORDER.index(row["state"]))
    if as_json:
        print_json([section], [found])
    else:
        print_table(section, found)
    raise click.exceptions.Exit(max(EXIT_CODES[row["state"]] for row in found))
