"""Commands about the page of `agentdb serve`: who may come in, and as whom."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import click

from ..harmless import harmless
from ..terminal.output import Section, how, query, show
from .options import dsn

PEOPLE = """
select subject, role_name as role, made_by, made_at, expires_at
from agentdb.web_person
where coalesce(expires_at > clock_timestamp(), true)
order by subject
limit {limit}
"""


@click.group()
def web() -> None:
    """See who may come in to the page, and as whom."""


@web.command()
@dsn
@click.option(
    "--url",
    envvar="AGENTDB_PUBLIC_URL",
    default="http://127.0.0.1:4318",
    show_default=True,
    help="Where `agentdb serve` is; else AGENTDB_PUBLIC_URL.",
)
@click.option(
    "--to", metavar="PATH", default="/", show_default=True,
    help="The page that it leads to, as /alert/41.",
)  # fmt: skip
@click.option(
    "--minutes", type=click.IntRange(1, 60), default=10, show_default=True,
    help="How long the link is good for.",
)  # fmt: skip
def link(dsn: str, url: str, to: str, minutes: int) -> None:
    """Make a link that lets you in to the page, once.

    You are there who you are in the database: the role that this command logs in as.
    """
    from agentdb.admin.web import make_link

    if not to.startswith("/"):
        raise click.BadParameter(f"{to!r} is no path of the page, as /alert/41")
    token = make_link(dsn, timedelta(minutes=minutes))
    asked = {"token": token} | ({"next": to} if to != "/" else {})
    click.echo(f"{harmless(url).rstrip('/')}/login/link?{urlencode(asked)}")
    click.echo(f"It lets you in once, within {minutes} minutes.", err=True)


@web.command()
@dsn
@how
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
def people(dsn: str, as_json: bool, as_sql: bool, limit: int) -> None:
    """List who has the rights of which role; all others only look."""
    section = Section(
        "people", query(PEOPLE, limit=limit), "none: agentdb web map SUBJECT ROLE"
    )
    show(dsn, [section], as_json=as_json, as_sql=as_sql)


@web.command("map")
@dsn
@click.argument("subject")
@click.argument("role")
def map_(dsn: str, subject: str, role: str) -> None:
    """Give SUBJECT of the page the rights of ROLE, which logs in here.

    SUBJECT is what the proxy or the issuer of identities calls a person, or `user NAME`
    at a unix socket.
    """
    from agentdb.admin.web import map_person

    map_person(dsn, subject, role)
    click.echo(harmless(f"{subject} acts as {role}, by way of agentdb serve"))


@web.command()
@dsn
@click.argument("subject")
def unmap(dsn: str, subject: str) -> None:
    """Make SUBJECT of the page a viewer, at once."""
    from agentdb.admin.web import unmap_person

    role = unmap_person(dsn, subject)
    click.echo(harmless(f"{subject} acts as {role} no more"))
