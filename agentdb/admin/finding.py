"""What a look at something found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and what fixes it."""

    check_name: str
    state: str
    detail: str
    fix: str | None = None
