"""Whose events they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """An agent whose identity is proven, or one that has said a name at most."""

    agent: str | None = None
    proven: bool = False


UNPROVEN = Peer()
