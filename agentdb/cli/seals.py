"""The command that hashes the record again and compares it with its seals."""

from __future__ import annotations

import re
from collections.abc import Callable

import click
from psycopg.errors import Diagnostic

from ..terminal.output import (
    Section,
    connect,
    how,
    print_json,
    print_table,
    query,
    rows,
    show,
)
from ..words import counted
from .failure import Failure
from .options import dsn
from .working import Step, working

SIZE = """
select coalesce(sum(s.rows), 0)::bigint as rows, count(distinct s.seal_id) as seals
from agentdb.seal as s
"""
# What the server says of each seal, at debug1.
HASHED = re.compile(r"agentdb: seal \d+ is hashed")
VERIFY = "select * from agentdb.verify_audit({root})"


def _counting(step: Step) -> Callable[[Diagnostic], None]:
    """Return what hears of each seal that the server has hashed."""

    def hear(said: Diagnostic) -> None:
        if HASHED.fullmatch(said.message_primary or ""):
            step()

    return hear


@click.command()
@dsn
@how
@click.option("--root", help="A root kept outside: it must be that of a seal.")
def seals(dsn: str, as_json: bool, as_sql: bool, root: str | None) -> None:
    """Hash every recorded change again and compare it with the seals.

    Exits 1 where a recorded change was altered, added or removed since.
    """
    section = Section("seals", query(VERIFY, root=root), card=True)
    if as_sql:
        show(dsn, [section], as_json=as_json, as_sql=as_sql)
        return
    with connect(dsn) as connection:
        (size,) = rows(connection, Section("", query(SIZE)))
        # It reads the whole record: as long as it takes.
        connection.execute("set local statement_timeout = 0")
        much = f"{counted(size['rows'], 'row')} under {counted(size['seals'], 'seal')}"
        with working(f"hashing {much}", steps=size["seals"]) as step:
            connection.execute("set local client_min_messages = debug1")
            connection.add_notice_handler(_counting(step))
            found = rows(connection, section)
    if as_json:
        print_json([section], [found])
    else:
        print_table(section, found)
    if not found[0]["intact"]:
        seal = found[0]["broken_seal"]
        hint = "docs/audit.md says what a broken seal tells and what it does not"
        where = f"seal {seal} does not hold: " if seal is not None else ""
        raise Failure(f"{where}{found[0]['problem']}", hint=hint)
