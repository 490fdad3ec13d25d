"""How changes, their rows and conflicts look on a terminal."""

from __future__ import annotations

from typing import Any

import click

from ..harmless import harmless
from ..terminal.diff import line, pair, text
from ..terminal.output import Row, shown
from ..words import counted

COLOURS = {"insert": "green", "delete": "red", "update": "yellow"}
FAILED = ("conflict", "expired")
# Of more conflicts the first are enough to decide by.
MOST = 50


def print_head(found: Row) -> None:
    """Print who proposes what and why."""
    who = shown(found["agent_name"] or found["proposed_by"])
    run = f", run {found['run_id']}" if found["run_id"] else ""
    whom = f", for {shown(found['on_behalf_of'])}" if found["on_behalf_of"] else ""
    state = shown(found["state"])
    click.secho(f"change {found['change_id']} by {who}{run}{whom}: {state}", bold=True)
    click.echo(f"  why      {line(found['reason'])}")
    if found["effects"]:
        effects = ", ".join(f"{key} {n}" for key, n in sorted(found["effects"].items()))
        click.echo(f"  effects  {shown(effects)}")
    if found["applied_after"]:
        click.echo(f"  after    {shown(found['applied_after'])}")
    if (rebased := found["rebased"] or {}).get("from"):
        click.echo(f"  anew     {line(_rebased(rebased))}")
    if rebased.get("as"):
        click.echo(f"  now      change {rebased['as']}")
    if found["decisions"]:
        click.echo(f"  decided  {shown(found['decisions'])}")
    if found["state"] == "pending":
        click.echo(f"  needs    {counted(found['approvals_missing'], 'approval')}")
    if found["state"] in ("pending", "approved"):
        click.echo(f"  until    {shown(found['expires_at'])}")
    if found["problem"]:
        click.secho(f"  problem  {line(found['problem'].get('message'))}", fg="red")
    click.echo()


def _rebased(how: dict[str, Any]) -> str:
    """Return who staged which change anew, and what became of others' writes."""
    theirs = {"skip": ", theirs kept", "override": ", theirs written over"}
    reason = f": {how['reason']}" if how.get("reason") else ""
    kept = theirs.get(how["on_conflict"], "")
    return f"change {how['from']} by {how['by']}{kept}{reason}"


def print_rows(found: list[Row], total: int | None, more: str = "") -> None:
    """Print rows as a diff: the key, its context, and of an update what differs."""
    for row in found:
        place = _listed(row["row_key"])
        context = _listed(row["context"] or {})
        click.secho(
            f"{row['operation']} {line(row['table_name'])} {place}"
            + (f"  ({context})" if context else ""),
            fg=COLOURS.get(row["operation"]),
            bold=True,
        )
        _print_values(row)
    listed = sum(row["operation"] != "read" for row in found)
    if total and total > listed:
        click.echo(f"… and {total - listed:,} rows more{more}")


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{line(name)} {text(value)}" for name, value in values.items())


def print_conflicts(found: list[dict[str, Any]]) -> None:
    """Print what is in the way, a line each."""
    for conflict in found[:MOST]:
        click.secho(f"conflict: {harmless(describe(conflict))}", fg="red")
    if len(found) > MOST:
        click.secho(f"… and {len(found) - MOST:,} conflicts more", fg="red")


def _print_values(row: Row) -> None:
    old, new = row["old_values"] or {}, row["new_values"] or {}
    names = [n for n in (new or old) if n not in row["row_key"]]
    if row["operation"] != "update":
        names = [n for n in names if (new or old)[n] is not None]
    width = max(map(len, names), default=0)
    for name in sorted(names):
        if row["operation"] == "update":
            said = "  →  ".join(pair(old.get(name), new[name]))
        else:
            said = text((new or old)[name])
        click.echo(f"  {line(name):<{width}}  {said}")


def print_tail(found: Row, crossed: bool = False) -> None:
    """Print what to type next."""
    number, state = found["change_id"], found["state"]
    if crossed and found["kind"] == "stage":
        _print_rebase(number)
    elif state == "pending":
        click.echo(f"\nnext: agentdb approve {number} --digest {found['digest']}")
    elif state == "approved" and found["apply"] == "hand":
        click.echo(
            f"\nnext, as who may write its tables: agentdb change apply {number}"
        )
    if state == "pending":
        click.echo(f"next: agentdb reject {number} --reason …")


def _print_rebase(number: int) -> None:
    """Print how a change is staged anew on rows that others have written."""
    click.echo(f"\nnext: agentdb change rebase {number}")
    click.echo(f"next: agentdb change rebase {number} --keep-theirs")
    click.echo(f"next: agentdb change rebase {number} --override --reason …")


def tell(number: int | None, ended: dict[str, Any]) -> None:
    """Say what became of a change; fail where it is a conflict."""
    state = ended["state"]
    name = f"change {number}" if number else "the undo"
    missing = ended.get("approvals_missing") or 0
    short = f", {counted(missing, 'approval')} missing" if missing else ""
    click.echo(f"{name}: {state}{short if state == 'pending' else ''}")
    if problem := ended.get("problem"):
        click.secho(line(problem.get("message")), fg="red")
        print_conflicts(problem.get("conflicts") or [])
    if state == "conflict" and number:
        click.echo(f"next: agentdb change show {number}")
    if state in FAILED:
        raise SystemExit(1)


def describe(conflict: dict[str, Any]) -> str:
    """Return a conflict as a person reads it."""
    if "table" not in conflict:
        return line(conflict.get("message") or conflict.get("conflict"))
    by = conflict.get("by") or {}
    who = by.get("agent") or by.get("role") or "somebody"
    run = f" in run {by['run']}" if by.get("run") else ""
    columns = "".join(
        _crossed(name, each) for name, each in (conflict.get("columns") or {}).items()
    )
    place = f"{conflict['table']} {_listed(conflict['key'])}"
    return f"{place} {conflict['conflict']} by {who}{run}{columns}"


def _crossed(name: str, values: dict[str, Any]) -> str:
    """Return what a column was, is and would be."""
    was, now = pair(values["expected"], values.get("current"))
    said = f"; {line(name)} was expected to be {was} and is {now}"
    return said + (
        f", would be {text(values['proposed'])}" if "proposed" in values else ""
    )
