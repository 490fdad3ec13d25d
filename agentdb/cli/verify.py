"""Commands about what agents claim: claims, verify."""

from __future__ import annotations

from pathlib import Path

import click

from ..harmless import harmless
from ..terminal.output import Section, how, query, show
from ..value import json_of
from .options import config, dsn, number_of_run
from .read import limit, require_run

CLAIMS = """
select claim_id as claim, run_id as run, agent_name as agent, kind, target, state,
  claimed_at, evidence
from agentdb.claim_status
where ({run}::bigint is null or run_id = {run})
limit {limit}
"""
DIFFERENCE = """
select table_name, operation, row_key, finding
from agentdb.row_diff({run})
"""


def _run(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    number = number_of_run(value) if value else None
    if value and number is None:
        raise click.BadParameter(f"{value!r} is no run; see agentdb runs")
    return number


@click.command()
@dsn
@click.argument("run", required=False, callback=_run)
@limit
@how
def claims(dsn: str, run: int | None, limit: int, as_json: bool, as_sql: bool) -> None:
    """Show what agents claim to have done, and what was seen of it.

    Of one RUN, its rows that were not claimed, or not done, are shown too.
    """
    sections = [
        Section("claims", query(CLAIMS, run=run, limit=limit), "none", below="evidence")
    ]
    if run is not None and not as_sql:
        require_run(dsn, run)
    if run is not None:
        sections.append(
            Section("differences", query(DIFFERENCE, run=run), "what it says it did")
        )
    show(dsn, sections, as_json=as_json, as_sql=as_sql)


@click.command()
@dsn
@click.argument("run", required=False, callback=_run)
@config
@limit
@how
def verify(
    dsn: str,
    run: int | None,
    config: Path | None,
    limit: int,
    as_json: bool,
    as_sql: bool,
) -> None:
    """Look up what RUN, or every run, claims.  Shows the verdicts.

    Exits 1 where a claim is refuted or may not be looked at.
    """
    import anyio

    from agentdb.config import read_limits
    from agentdb.runner.loops.verify import verify

    limits = read_limits(config)
    if run is not None and not as_sql:
        require_run(dsn, run)
    if not as_sql:
        anyio.run(lambda: verify(dsn, limits, run=run))
    section = Section(
        "claims", query(CLAIMS, run=run, limit=limit), "none", below="evidence"
    )
    found = show(dsn, [section], as_json=as_json, as_sql=as_sql)
    if any(row["state"] in ("refuted", "refused") for rows in found for row in rows):
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("path")
@click.option("--as", "user", metavar="USER", help="Whose view; by default our own.")
@click.option(
    "--want", type=click.Choice(["read", "write"]), default="read", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def probe(path: str, user: str | None, want: str, as_json: bool) -> None:
    """Say what keeps USER out of PATH, and the command that fixes it.

    Exits 1 where something does, 2 where we may not become USER.
    """
    import anyio

    from agentdb.verify import look

    try:
        theirs = anyio.run(lambda: look.probe(path, want=want, user=user))
        ours = anyio.run(lambda: look.probe(path, want=want, user=None))
    except look.Failed as error:
        raise click.UsageError(
            f"cannot look as {user}: {error}\nhint: become root, or leave out --as"
        ) from error
    if as_json:
        click.echo(json_of(theirs, indent=2))
    else:
        click.echo(harmless("\n".join(_told(theirs, ours))))
    raise click.exceptions.Exit(0 if theirs["verdict"] == "ok" else 1)


def _told(theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    """Return what a person needs to know of a probe, the headline first."""
    from ..terminal.output import shown

    fine = theirs["verdict"] == "ok"
    lines = [f"{theirs['verdict']}: {theirs.get('detail', theirs['path'])}"]
    if not fine and ours["verdict"] == "ok" and ours["as"] != theirs["as"]:
        lines.append(f"{ours['as']} can {theirs['want']} it; {theirs['as']} cannot")
    lines += [f"link: {link}" for link in theirs.get("links", [])]
    names = ("component", "owner", "access_list", "size", "fix")
    lines += [f"{name}: {theirs[name]}" for name in names if name in theirs]
    return [shown(line) for line in lines]
