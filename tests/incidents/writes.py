"""Writes: too many at once, in pieces, all of them; and protection that is gone."""

from __future__ import annotations

from .loops import working
from .play import MINUTE, Play, Wait, found
from .registry import healthy, incident

AUDIT_TRIGGERS = """
select format('alter table %%s enable always trigger %%I', tgrelid::regclass, tgname)
  as enable
from pg_trigger
where tgrelid = %s::regclass and tgname like 'agentdb%%'
"""


@incident
def one_statement_without_a_where(play: Play) -> Wait:
    """One UPDATE changes every row of a table."""
    actor, lines = working(play), play.random.randint(4000, 9000)
    table = play.table(actor, lines=lines)
    where = "" if play.bad else "where id <= 20"
    actor.sql(f"update {table} set state = 'void' {where}")
    play.expect(
        "blast_radius",
        severity="critical",
        says=[table, f"{lines}|{lines:,}", f"run.?{actor.run}|run {actor.run}"],
    )
    yield 2 * MINUTE
    actor.step("done")
    actor.end()


@incident
def blast_in_pieces(play: Play) -> Wait:
    """Fifty thousand rows are rewritten in a hundred statements of five hundred."""
    actor = working(play)
    table = play.table(actor, lines=50_000)
    size = 500 if play.bad else 3
    for i in range(100):
        first = i * 500
        actor.sql(
            f"update {table} set state = 'void' where id > {first}"
            f" and id <= {first + size}"
        )
        if i == 40:
            # Twenty thousand: nobody can miss it any more.
            play.expect("wide_run", "blast_radius", says=[actor.name, table])
            play.updates = 1
        if i == 60:
            # Thirty thousand.
            says = [actor.name, table, r"[23]\d.?\d00 rows", r"\d\d statements"]
            play.expect("blast_radius", "wide_run", severity="critical", says=says)
        yield play.pace(3, 8)
    yield MINUTE
    actor.end()


@incident
def blast_over_several_tables(play: Play) -> Wait:
    """Four tables lose eight thousand rows each, in statements that are small alone."""
    actor = working(play)
    tables = [play.table(actor, lines=8000) for _ in range(4)]
    for table in tables:
        for i in range(10 if play.bad else 1):
            low, high = i * 800, i * 800 + (800 if play.bad else 5)
            actor.sql(f"delete from {table} where id > {low} and id <= {high}")
            yield play.pace(3, 8)
    says = [actor.name, *tables, r"[23]\d.?\d00 rows"]
    play.expect("blast_radius", "wide_run", severity="critical", says=says)
    play.updates = 1
    yield 2 * MINUTE
    actor.step("done")
    actor.end()


@incident
def truncate_of_a_full_table(play: Play) -> Wait:
    """A TRUNCATE takes twenty thousand rows, and says nothing of them itself."""
    actor = working(play)
    table = play.table(actor, lines=20_000)
    if play.bad:
        actor.sql(f"truncate {table}")
    else:
        actor.sql(f"delete from {table} where id <= 20")
    play.expect(
        "blast_radius", severity="critical", says=[table, "20.?000", "truncate"]
    )
    yield 2 * MINUTE
    actor.step("cleaned up")
    actor.end()


@incident
def deletes_that_nobody_asked_for(play: Play) -> Wait:
    """One DELETE removes what is left of last year, five thousand rows."""
    actor = working(play)
    table = play.table(actor, lines=9000)
    most = 5000 if play.bad else 40
    actor.sql(f"delete from {table} where amount <= {most}")
    play.expect("blast_radius", severity="critical", says=[table, "5.?000"])
    yield 2 * MINUTE
    actor.step("done")
    actor.end()


@incident
def audit_that_is_switched_off(play: Play) -> Wait:
    """Somebody disables the triggers of an audited table: what is written is in no history."""
    actor = working(play)
    table = play.table(actor, lines=5)
    if play.bad:
        play.db.execute(f"alter table {table} disable trigger all".encode())
    play.expect("audit_gap", severity="critical", says=[table])
    yield 2 * MINUTE
    for each in found(play, AUDIT_TRIGGERS, table):
        play.db.execute(each["enable"].encode())
    actor.step("goes on")
    yield MINUTE
    actor.end()


@incident
def audit_that_is_off_for_one_statement(play: Play) -> Wait:
    """Somebody disables the triggers, writes, and enables them: it looks as before."""
    actor = working(play)
    table = play.table(actor, lines=5)
    yield MINUTE
    enable = [each["enable"] for each in found(play, AUDIT_TRIGGERS, table)]
    if play.bad:
        play.db.execute(f"alter table {table} disable trigger all".encode())
    play.db.execute(f"update {table} set amount = amount + 1".encode())
    if play.bad:
        for statement in enable:
            play.db.execute(statement.encode())
    # The runner looks every half minute, the played one every hour.
    play.db.execute("select agentdb.maintain_tables()")
    play.expect("record_gap", severity="critical", says=[table, "may not be recorded"])
    yield MINUTE
    actor.step("goes on")
    actor.end()


@healthy
def nightly_import(play: Play) -> Wait:
    """An importer that is meant to inserts nine hundred rows in nine statements."""
    actor = working(play)
    table = play.table(actor)
    for i in range(9):
        actor.sql(
            f"insert into {table} select i, 'new', i"
            f" from generate_series({i * 100 + 1}, {i * 100 + 100}) i"
        )
        actor.step(f"imported {play.text(4)} {i}")
        yield 20
    actor.end()


@healthy
def reads_everything_and_writes_a_row(play: Play) -> Wait:
    """An agent reads a large table whole, and writes one row of a summary."""
    actor = working(play)
    large, small = play.table(actor, lines=20_000), play.table(actor)
    actor.sql(f"select count(*), sum(amount) from {large}")
    yield 30
    actor.sql(f"insert into {small} values (1, 'sum', 200)")
    actor.step("summed it up")
    yield 30
    actor.end()
