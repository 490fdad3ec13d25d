"""Commands about the installation as a whole: whose it is, and what changed in it."""

from __future__ import annotations

import click

from ..terminal.output import Section, how, query, show
from ..words import counted
from .options import dsn

CHANGES = """
select what, now, before, detail
from agentdb.changed_since(clock_timestamp() - {since}::interval)
"""
STILL = """
select 'A-' || alert_id as alert, severity, rule_name as rule, age, summary
from agentdb.active_alert
where state = 'firing'
order by array_position(array['critical', 'warning', 'info'], severity), since
limit 20
"""


@click.command()
@dsn
@click.option("--as", "site", metavar="SITE", required=True, help="Its name from now.")
def adopt(dsn: str, site: str) -> None:
    """Make a copied or moved database an installation of its own.

    A runner that finds a database at another address than before sends nothing, so
    that a copy does not speak for its original.  What was queued is dropped.
    """
    from agentdb.admin import oncall

    dropped = oncall.adopt(dsn, site)
    click.echo(f"this database is site {site}; {counted(dropped, 'message')} dropped")
    click.echo(f"next: site = '{site}' under [runner] in the runner's configuration")


@click.command()
@dsn
@how
@click.option("--since", default="1 day", show_default=True, help="How far back.")
def digest(dsn: str, as_json: bool, as_sql: bool, since: str) -> None:
    """Say what changed since yesterday, and what fires still.

    `before` counts as long a time before that.
    """
    sections = [
        Section("what changed", query(CHANGES, since=since), "nothing", below="detail"),
        Section("firing", query(STILL), "none", below="summary"),
    ]
    show(dsn, sections, as_json=as_json, as_sql=as_sql)
