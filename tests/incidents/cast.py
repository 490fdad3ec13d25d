"""Which scenarios share a timeline, and the seed of today."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

from .registry import ENTRIES, Entry
from .timeline import DAYS, HOURS, Part, Played, Timeline

# Parts on one timeline: more would be a storm, which is told as one.
MOST = 24
SPREAD = 45 * 60.0
# Known to those who read a failure: AGENTDB_SEED=… plays the same again.
VARIABLE = "AGENTDB_SEED"


def seed() -> int:
    """Return the seed that was asked for, or a new one."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = str(random.SystemRandom().randrange(1_000_000))
    return int(os.environ[VARIABLE])


def timelines(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Deal the scenarios, in an order of the seed's, into timelines."""
    dealt: dict[str, list[Entry]] = {}
    common = sorted((e for e in entries if not e.timeline), key=lambda e: e.name)
    random.Random(seed()).shuffle(common)
    count = max(1, -(-sum(len(parts_of(e)) for e in common) // MOST))
    for place, entry in enumerate(common):
        dealt.setdefault(f"common-{place % count}", []).append(entry)
    for entry in entries:
        if entry.timeline:
            dealt.setdefault(entry.timeline, []).append(entry)
    return dealt


def parts_of(entry: Entry) -> list[Part]:
    """Return the incident and its twin, or the healthy one alone."""
    both = [True, False] if entry.incident else [False]
    return [Part(entry.name, entry.scenario, bad) for bad in both]


def play(entries: Sequence[Entry], *, before: Sequence[str] = ()) -> list[Played]:
    """Play scenarios on one timeline."""
    parts = [part for entry in entries for part in parts_of(entry)]
    spread = SPREAD * min(1.0, len(parts) / MOST)
    quiet = DAYS if entries[0].timeline == "days" else HOURS
    timeline = Timeline(seed(), before=before, spread=spread, quiet=quiet)
    return timeline.play(parts)


def all_entries() -> list[Entry]:
    """Return all scenarios, of whatever file."""
    from . import scenarios  # noqa: F401  they enter themselves

    return list(ENTRIES.values())
