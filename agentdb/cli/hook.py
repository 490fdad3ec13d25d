"""Commands that put our hooks into a coding agent's settings, and take them out."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from ..hook.settings import DEFAULT, EMITTERS, TOKEN, Settings, Unusable
from .confirm import confirm
from .failure import Failure

LOUD = {"+": "green", "-": "red", "@": "cyan"}


@click.group()
def hook() -> None:
    """Have a coding agent report each call, and ask first.

    The hooks send to `agentdb serve`.  They fail open: where nobody answers the agent
    goes on, so what must not happen is refused by the database or the gateway.
    """


def place(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which file is meant."""
    for option in (
        click.option(
            "--project/--user",
            default=False,
            help="The settings of this folder, or your own (the default).",
        ),
        click.option(
            "--for",
            "emitter",
            type=click.Choice([*EMITTERS]),
            default="claude",
            show_default=True,
            help="Whose settings.",
        ),
        click.option(
            "--url",
            envvar="AGENTDB_SERVE",
            default=DEFAULT,
            show_default=True,
            help="Where `agentdb serve` listens.",
        ),
    ):
        function = option(function)
    return function


yes = click.option("--yes", is_flag=True, help="Do not ask.")


def _settings(emitter: str, project: bool) -> Settings:
    try:
        return Settings(EMITTERS[emitter].path(project=project))
    except Unusable as problem:
        hint = "repair the file, or move it away"
        raise Failure(str(problem), hint=hint) from problem


def _shown(settings: Settings, after: bytes | None) -> None:
    for line in settings.diff(after).splitlines():
        click.secho(line, fg=LOUD.get(line[:1]))


@hook.command()
@place
@yes
def install(project: bool, emitter: str, url: str, yes: bool) -> None:
    """Write our hooks into the settings.

    Shows what would change, and asks.  No secret is written: the agent's intake token
    is read from AGENTDB_INTAKE_TOKEN wherever the agent runs.
    """
    settings = _settings(emitter, project)
    after = settings.with_hooks(
        EMITTERS[emitter].hooks(url.rstrip("/"), project=project)
    )
    if after == settings.before:
        click.echo(f"{settings.path} has them already")
    else:
        _shown(settings, after)
        if not yes:
            confirm(f"Write {settings.path}?")
        settings.write(after)
        click.echo(f"wrote {settings.path}")
    if not os.environ.get(TOKEN):
        click.echo(
            f"{TOKEN} is not set here: without it nothing is recorded and nothing is"
            " denied.  An operator makes one: agentdb intake token AGENT"
        )
    if emitter == "codex":
        click.echo("Codex asks once whether it may run them: /hooks")


@hook.command()
@place
@yes
def remove(project: bool, emitter: str, url: str, yes: bool) -> None:
    """Take our hooks out of the settings."""
    settings = _settings(emitter, project)
    if not settings.has_ours():
        click.echo(f"{settings.path} has none of ours")
        return
    after = settings.without_hooks()
    _shown(settings, after)
    if not yes:
        confirm(f"Write {settings.path}?")
    settings.remove(after)
    click.echo(
        f"wrote {settings.path}" if after is not None else f"removed {settings.path}"
    )


@hook.command()
@place
def check(project: bool, emitter: str, url: str) -> None:
    """Say whether the hooks are there, and as whom the server knows them.

    Exits 1 where a hook is missing, nobody answers, or the token is nobody's.
    """
    from ..hook.command import Unreachable, post

    settings = _settings(emitter, project)
    ours = EMITTERS[emitter].hooks(url.rstrip("/"), project=project)
    if missing := settings.missing(ours):
        where = "--project" if project else "--user"
        there = f" --url {url}" if url != DEFAULT else ""
        raise Failure(
            f"{settings.path} lacks hooks of ours for {', '.join(missing)}",
            hint=f"agentdb hook install {where} --for {emitter}{there}",
        )
    click.echo(f"{settings.path}: {len(ours)} hooks")
    os.environ["AGENTDB_SERVE"] = url
    try:
        agent = post("/hook/whoami", b"{}").strip()
    except Unreachable as problem:
        refused = " 401 " in str(problem)
        hint = "agentdb intake token AGENT" if refused else "agentdb serve"
        raise Failure(str(problem), hint=hint) from problem
    if not agent:
        raise Failure(
            f"{url} answers, and {TOKEN} is not set: nothing is recorded",
            hint="agentdb intake token AGENT",
        )
    click.echo(f"{url}: agent {agent}")
