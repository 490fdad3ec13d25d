"""Asks a person before something happens that is not easily taken back."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ..harmless import harmless


def confirm(
    question: str, *, about: Sequence[str] = (), instead: str = "add --yes"
) -> None:
    """Say what it is about and ask, or refuse where nobody can answer."""
    for line in about:
        click.echo(harmless(line), err=True)
    if not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError(f"{question}  Nobody can answer here: {instead}")
    click.confirm(question, abort=True, err=True)
