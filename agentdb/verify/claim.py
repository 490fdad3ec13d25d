"""What a verifier is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

Word: TypeAlias = Literal["verified", "refuted", "unreachable", "refused"]


@dataclass(frozen=True)
class Limits:
    """What the operator lets verifiers look at; by default nothing.

    A command is its argument vector, with ``{name}`` where a claim may put a value, and
    for each name the regular expression that the whole value must match.
    """

    roots: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    private_addresses: bool = False
    commands: dict[str, dict[str, Any]] = field(default_factory=dict)
    # The operating system user that looks at files and runs commands.
    user: str | None = None
    # Seconds for one look.
    deadline: float = 10.0


@dataclass(frozen=True)
class Claim:
    """One claim, taken to be looked at."""

    kind: str
    target: str
    expectation: dict[str, Any]
    run_started_at: datetime
    limits: Limits


@dataclass(frozen=True)
class Verdict:
    """What was seen; ``unreachable`` where nobody could look."""

    verdict: Word
    evidence: dict[str, Any]


Verifier: TypeAlias = Callable[[Claim], Verdict]
