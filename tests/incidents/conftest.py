"""Plays each timeline once, however many tests ask what came of it."""

from __future__ import annotations

from functools import cache

import pytest

from . import cast, clock
from .registry import Entry
from .timeline import Played

# Before other processes begin, which are to have the same.
SEED = cast.seed()


def pytest_report_header() -> str:
    """Print the seed, so that what fails can be played again."""
    return f"incidents: {cast.VARIABLE}={SEED}"


def of(item: pytest.Item) -> Entry | None:
    """Return the scenario that a test is about."""
    entry = item.callspec.params.get("entry") if hasattr(item, "callspec") else None
    return entry if isinstance(entry, Entry) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares a timeline in one process."""
    groups = cast.timelines(cast.all_entries())
    place = {entry.name: name for name, group in groups.items() for entry in group}
    for item in items:
        if entry := of(item):
            item.add_marker(pytest.mark.xdist_group(place[entry.name]))


@pytest.fixture(scope="session")
def asked(request: pytest.FixtureRequest) -> list[Entry]:
    """The scenarios that this run of pytest is about: all, or those of `-k`."""
    names = {entry.name for item in request.session.items if (entry := of(item))}
    return [entry for entry in cast.all_entries() if entry.name in names]


@pytest.fixture(scope="session", autouse=True)
def movable_clock() -> None:
    """Say in a sentence what is missing where no clock can be moved."""
    try:
        clock.faketime()
    except clock.NoClock as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
def came_of(asked: list[Entry]) -> object:
    """Return what came of a scenario; its timeline is played when first asked for."""
    groups = cast.timelines(asked)

    @cache
    def timeline(name: str) -> list[Played]:
        return cast.play(groups[name])

    def came_of(entry: Entry, bad: bool) -> Played:
        (name,) = (n for n, group in groups.items() if entry in group)
        parts = timeline(name)
        return next(p for p in parts if (p.part.name, p.part.bad) == (entry.name, bad))

    return came_of
