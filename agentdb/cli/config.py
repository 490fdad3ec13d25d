"""The command about the configuration: config check."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ..secret.reference import resolve
from ..secret.refused import Refused
from .options import config as config_option
from .options import only_dsn


@click.group()
def config() -> None:
    """Look at the configuration of the runner."""


@config.command("check")
@only_dsn
@config_option
def check(dsn: str | None, config: Path | None) -> None:
    """Say what is wrong with the configuration, with line and reason.

    References are resolved too, so run it where the runner runs.  Exits 78 if
    something is wrong.
    """
    from agentdb.config import read

    found = read(config, dsn=dsn)
    _resolve(config, found.secrets)
    click.echo(f"{config or 'environment'}: fine")
    click.echo(f"databases: {', '.join(found.databases)}")
    fallback = found.fallback.channel if found.fallback else "none"
    click.echo(f"fallback: {fallback}")
    click.echo(f"health: {found.health.address or 'none'}")
    click.echo(f"links: {found.runner.public_url or 'none'}")
    secrets = (
        f"{name} ({'anywhere' if '*' in places else ', '.join(places)})"
        for name, places in sorted(found.secrets.items())
    )
    click.echo(f"secrets: {', '.join(secrets) or 'none'}")


def _resolve(config: Path | None, references: Iterable[str]) -> None:
    """Read what receivers may have; a runner reads it at the first message."""
    from agentdb.config import Misconfigured

    problems = []
    for reference in references:
        try:
            resolve(reference)
        except Refused as error:
            problems.append(f"{config or 'AGENTDB_SECRETS'}: [secrets] {error}")
    if problems:
        raise Misconfigured("\n".join(problems))
