"""What is sent for each incident, and that nothing is sent for its healthy twin."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import cast, judge
from .registry import Entry
from .timeline import Played

CameOf = Callable[[Entry, bool], Played]
ALL = cast.all_entries()
INCIDENTS = [entry for entry in ALL if entry.incident]


def named(entry: Entry) -> str:
    return entry.name


def assert_well_told(played: Played) -> None:
    told = judge.problems(played)
    what = played.part.scenario.__doc__
    assert not told, "\n".join([str(what), *told, judge.account(played)])


@pytest.mark.parametrize("entry", INCIDENTS, ids=named)
def test_incident_is_told_as_a_good_engineer_would(
    entry: Entry, came_of: CameOf
) -> None:
    assert_well_told(came_of(entry, True))


@pytest.mark.parametrize("entry", ALL, ids=named)
def test_nothing_is_told_of_who_is_healthy(entry: Entry, came_of: CameOf) -> None:
    assert_well_told(came_of(entry, False))


def test_there_are_enough_kinds() -> None:
    assert len(INCIDENTS) >= 60
    assert len(ALL) - len(INCIDENTS) >= 20
