"""The scenarios that there are, and on which timeline each is played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .play import Play, Wait

Scenario = Callable[[Play], Wait]


@dataclass(frozen=True)
class Entry:
    """A scenario: with a healthy twin, or healthy only."""

    name: str
    scenario: Scenario
    incident: bool
    timeline: str


ENTRIES: dict[str, Entry] = {}


def incident(scenario: Scenario) -> Scenario:
    """Enter an incident and its healthy twin."""
    return _enter(scenario, True, "")


def healthy(scenario: Scenario) -> Scenario:
    """Enter something that nobody wants to hear of."""
    return _enter(scenario, False, "")


def on(timeline: str) -> Callable[[Scenario], Scenario]:
    """Enter an incident on a timeline with few others: it disturbs, or takes days."""
    return lambda scenario: _enter(scenario, True, timeline)


def healthy_on(timeline: str) -> Callable[[Scenario], Scenario]:
    """Enter a healthy scenario on such a timeline."""
    return lambda scenario: _enter(scenario, False, timeline)


def _enter(scenario: Scenario, incident: bool, timeline: str) -> Scenario:
    name = str(getattr(scenario, "__name__", scenario))
    assert name not in ENTRIES, name
    assert scenario.__doc__, name
    ENTRIES[name] = Entry(name, scenario, incident, timeline)
    return scenario
