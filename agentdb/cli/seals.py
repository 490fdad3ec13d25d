"""The command that hashes the record again and compares it with its seals."""

from __future__ import annotations

import click

from .failure import Failure
from .options import dsn, reports_errors
from .output import (
    Section,
    connect,
    how,
    print_json,
    print_table,
    query,
    rows,
    show,
)
from .working import counted, working

SIZE = """
select coalesce(sum(s.rows), 0)::bigint as rows, count(distinct s.seal_id) as seals
from agentdb.seal as s
"""
VERIFY = "select * from agentdb.verify_audit({root})"


@click.command()
@dsn
@how
@click.option("--root", help="A root kept outside: it must be that of a seal.")
@reports_errors
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
        with working(f"hashing {much}"):
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
