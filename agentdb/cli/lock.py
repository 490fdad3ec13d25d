"""Commands about locks: who holds them, and taking one away."""

from __future__ import annotations

import click

from ..harmless import harmless
from ..terminal.output import Section, connect, how, query, rows, show, shown
from .confirm import confirm
from .failure import Failure
from .options import dsn

LOCKS = """
select lock_name || coalesce(' slot ' || nullif(slot, 0), '') as lock, state, holder,
  held_for, time_left as left, renewals, waiting, denied_since as denied
from agentdb.lock_status
where {every} or state <> 'free'
order by array_position(array['stale', 'held', 'cooling', 'free'], state),
  lock_name, slot
limit {limit}
"""

HOLDERS = """
select holder from agentdb.lock_status
where lock_name = {name} and ({slot}::integer is null or slot = {slot})
order by slot
"""


@click.command()
@dsn
@how
@click.option("--all", "every", is_flag=True, help="Free ones too.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
def locks(dsn: str, as_json: bool, as_sql: bool, every: bool, limit: int) -> None:
    """List the locks that are held, and those that went stale first."""
    statement = query(LOCKS, every=every, limit=limit)
    section = Section("locks", statement, "none is held")
    show(dsn, [section], as_json=as_json, as_sql=as_sql)


@click.group()
def lock() -> None:
    """Act on a lock."""


@lock.command()
@dsn
@click.argument("name")
@click.option("--reason", required=True, help="Why; it is kept in the log.")
@click.option("--slot", type=click.IntRange(min=1), help="Only this slot.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def release(dsn: str, name: str, reason: str, slot: int | None, yes: bool) -> None:
    """Take lock NAME away.  Its holder's writes to fenced tables fail from then on."""
    from agentdb.admin import operation

    if not yes:
        confirm(f"Take lock {name} from {_holders(dsn, name, slot)}?")
    released = operation.release_lock(dsn, name, reason=reason, slot=slot)
    for holder in released:
        click.echo(harmless(f"lock {name} is free; {holder} had it"))
    if not released:
        _holders(dsn, name, slot)
        click.echo(f"lock {name} was free already")


def _holders(dsn: str, name: str, slot: int | None) -> str:
    """Return who holds a lock; fail where it was never held."""
    with connect(dsn) as connection:
        found = rows(connection, Section("", query(HOLDERS, name=name, slot=slot)))
    if not found:
        raise Failure(f"there is no lock {name}", hint="agentdb locks --all")
    holders = [row["holder"] for row in found if row["holder"]]
    return ", ".join(map(shown, holders)) or "nobody: it is free"
