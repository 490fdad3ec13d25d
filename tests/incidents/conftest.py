"""Plays each timeline once, however many tests ask what came of it."""

from __future__ import annotations

from functools import cache

import pytest

from . import cast, clock
from .registry import Entry
from .timeline import Played


def pytest_report_header() -> str:
    """Print the seed, so that what fails can be played again."""
    return f"incidents: {cast.VARIABLE}={cast.seed()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares a timeline in one process."""
    for name, group in cast.timelines(cast.all_entries()).items():
        wanted = {entry.name for entry in group}
        for item in items:
            entry = getattr(item, "callspec", None) and item.callspec.params.get(
                "entry"
            )  # type: ignore[attr-defined]
            if isinstance(entry, Entry) and entry.name in wanted:
                item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(scope="session")
def asked(request: pytest.FixtureRequest) -> list[Entry]:
    """The scenarios that this run of pytest is about: all, or those of `-k`."""
    found = [
        item.callspec.params.get("entry")
        for item in request.session.items
        if hasattr(item, "callspec")
    ]
    names = {entry.name for entry in found if isinstance(entry, Entry)}
    return [entry for entry in cast.all_entries() if entry.name in names]


@pytest.fixture(scope="session")
def came_of(asked: list[Entry]) -> object:
    """Return what came of a scenario; its timeline is played when first asked for."""
    try:
        clock.library()
    except clock.NoClock as missing:
        pytest.fail(str(missing), pytrace=False)
    groups = cast.timelines(asked)

    @cache
    def timeline(name: str) -> list[Played]:
        return cast.play(groups[name])

    def came_of(entry: Entry, bad: bool) -> Played:
        (name,) = (n for n, group in groups.items() if entry in group)
        parts = timeline(name)
        return next(p for p in parts if (p.part.name, p.part.bad) == (entry.name, bad))

    return came_of
