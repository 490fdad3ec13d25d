"""Permission errors: what an agent may not, in every kind, from the errors that it met."""

from __future__ import annotations

import psycopg

from .loops import working
from .play import MINUTE, Actor, Play, Wait
from .registry import healthy, incident


def attempt(actor: Actor, tool: str, query: str) -> None:
    """Execute a query, and log the call as it went, with the server's own words."""
    try:
        actor.sql(query)
        actor.tool(tool, {"sql": query}, result=f"OK {actor.play.text(4)}")
    except psycopg.Error as error:
        said = f"{error.sqlstate}: {error.diag.message_primary}"
        actor.fail(tool, {"sql": query}, said)


def three_times(actor: Actor, tool: str, queries: list[str], *says: str) -> Wait:
    """Meet the same refusal three times, between other work."""
    play = actor.play
    for i, query in enumerate(queries):
        attempt(actor, tool, query)
        actor.step(f"something else: {play.text(5)} {i}")
        if i == 2:
            play.expect("access_denied", says=[actor.name, *says])
            play.updates = 1
        yield play.pace(30, 80)
    yield 2 * MINUTE
    actor.end()


@incident
def missing_grant(play: Play) -> Wait:
    """An agent lacks a grant; the message has the statement that gives it."""
    actor, tool = working(play), play.name("query")
    table = play.table(*([] if play.bad else [actor]), lines=5)
    queries = [f"select state from {table} where id = {i}" for i in range(4)]
    fix = rf"grant select on {table}"
    yield from three_times(actor, tool, queries, table.split(".")[1], fix)


@incident
def missing_usage_on_a_schema(play: Play) -> Wait:
    """The table is granted and its schema is not."""
    actor, tool, schema = working(play), play.name("query"), play.name("vault")
    play.db.execute(f"create schema {schema}".encode())
    play.db.execute(f"create table {schema}.secret as select 1 as id".encode())
    play.db.execute(f"grant select on {schema}.secret to {actor.role}".encode())
    if not play.bad:
        play.db.execute(f"grant usage on schema {schema} to {actor.role}".encode())
    queries = [f"select id from {schema}.secret where id <> {i}" for i in range(4)]
    yield from three_times(actor, tool, queries, f"grant usage on schema {schema}")


@incident
def row_that_row_security_refuses(play: Play) -> Wait:
    """Row security refuses the rows that an agent writes."""
    actor, tool = working(play), play.name("insert")
    table = play.table(actor)
    allowed = "false" if play.bad else "true"
    play.db.execute(f"alter table {table} enable row level security".encode())
    play.db.execute(
        f"create policy own on {table} to {actor.role} using (true)"
        f" with check ({allowed})".encode()
    )
    queries = [f"insert into {table} values ({i}, 'new', 1)" for i in range(4)]
    yield from three_times(
        actor, tool, queries, "row.?.?(level )?security|row.security"
    )


@incident
def table_that_is_not_there(play: Play) -> Wait:
    """An agent asks for tables that do not exist, or not under that name."""
    actor, tool = working(play), play.name("query")
    table = play.table(actor, lines=5)
    asked = table.replace("_q", "s_q") if play.bad else table
    queries = [f"select state from {asked} where id = {i}" for i in range(4)]
    yield from three_times(actor, tool, queries, asked.split(".")[1])


def other_errors(play: Play, error: str, *says: str) -> Wait:
    """Meet an error of something that is no database three times, between other work."""
    actor, tool = working(play), play.name("open")
    for i in range(4):
        args = {"what": f"{play.text(2)} {i}"}
        if play.bad:
            actor.fail(tool, args, error.format(i))
        else:
            actor.tool(tool, args, result=play.text(9))
        actor.step(f"something else: {play.text(5)} {i}")
        if i == 2:
            play.expect("access_denied", says=[actor.name, *says])
            play.updates = 1
        yield play.pace(30, 80)
    actor.end()


@incident
def file_that_may_not_be_read(play: Play) -> Wait:
    """The mode of a file keeps the agent out."""
    error = "PermissionError: [Errno 13] Permission denied: '/srv/in/{}.csv'"
    yield from other_errors(play, error, "/srv/in")


@incident
def key_that_is_refused(play: Play) -> Wait:
    """A service answers 401: the key is wrong or has run out."""
    yield from other_errors(play, "HTTP 401 Unauthorized: invalid api key", "401")


@incident
def service_that_forbids(play: Play) -> Wait:
    """A service answers 403: the key is good and may not do this."""
    yield from other_errors(play, "403 Forbidden: scope orders:write is missing", "403")


@incident
def writes_outside_any_run(play: Play) -> Wait:
    """An agent's session writes an audited table before it has started a run."""
    actor = play.agent()
    table = play.table(actor, lines=5)
    if not play.bad:
        actor.start()
    actor.sql(f"update {table} set state = 'paid' where id = 3")
    play.expect("unattributed_write", says=[table, actor.role])
    yield 2 * MINUTE
    if not play.bad:
        actor.end()


@healthy
def one_refusal_and_another_way(play: Play) -> Wait:
    """An agent is refused once, asks a person's table instead, and gets on."""
    actor = working(play)
    closed, opened = play.table(lines=3), play.table(actor, lines=3)
    attempt(actor, "query", f"select state from {closed}")
    yield 20
    for i in range(5):
        attempt(actor, "query", f"select state from {opened} where id = {i}")
        actor.step(f"read {play.text(4)} {i}")
        yield 20
    actor.end()
