"""Every attack is held, and every mutant of the pack is caught by one.

A mutant has one clause changed.  What people do every day works on it as before, and
the attack succeeds: so the clause is what holds it, and the attack can fail.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from ..conftest import Connection, MakeDatabase
from ..servers import Server
from .attack import HERE, ROOT, Attack, Mutant, attacks, definition, read_steps
from .page import LAWS, PAGE, page
from .play import Stage, play

ALL = attacks()
HAPPY = read_steps(HERE / "happy.sql")


@pytest.fixture
def stage(
    server: Server,
    scenery: str,
    make_database: MakeDatabase,
    put_back: Callable[[], None],
) -> Callable[..., Stage]:
    """Open a copy of the scene."""

    def open_stage(root: Path = ROOT) -> Stage:
        return Stage(server, make_database(scenery), root)

    return open_stage


@pytest.mark.parametrize("attack", ALL, ids=lambda each: each.name)
def test_attack_is_held_and_its_mutant_is_not(
    attack: Attack,
    stage: Callable[..., Stage],
    put_back: Callable[[], None],
    admin: Connection,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("attack", (attack.law, attack.path.stem, attack.mutant.place))
    major = admin.info.server_version // 10000
    if not attack.versions[0] <= major <= attack.versions[1]:
        pytest.skip(f"PostgreSQL {major} has nothing to attack here")
    _held(attack, stage())
    put_back()
    _caught(attack, stage, tmp_path)


def _held(attack: Attack, here: Stage) -> None:
    try:
        fell = play(here, attack.steps)
    finally:
        here.close()
    assert not fell, f"{attack.title}: {fell.problem}"


def _caught(attack: Attack, stage: Callable[..., Stage], place: Path) -> None:
    """Make the mutant; the day goes on as ever, and the attack comes through."""
    here = stage(_copy(attack.mutant, place) if attack.mutant.is_python else ROOT)
    try:
        _change(here, attack.mutant)
        disturbed = play(here, HAPPY)
        assert not disturbed, f"the mutant breaks more: {disturbed.problem}"
        here.leave()
        fell = play(here, attack.steps)
    finally:
        here.close()
    assert fell, f"nothing noticed {attack.mutant.place}: {here.last}"
    assert fell.is_through, f"the attack fails otherwise: {fell.problem}"


def _change(here: Stage, mutant: Mutant) -> None:
    """Make the change in the database."""
    if mutant.is_python:
        return
    with psycopg.connect(here.dsn("postgres"), autocommit=True) as db:
        if mutant.what == "sql":
            db.execute(mutant.change.encode())
        else:
            db.execute(mutant.applied(definition(mutant.what)).encode())


def _copy(mutant: Mutant, place: Path) -> Path:
    """Copy what is installed and run, with one line changed."""
    for folder in ("agentdb", "alembic", "sql"):
        shutil.copytree(ROOT / folder, place / folder)
    path = place / mutant.what.removeprefix("file ")
    path.write_text(mutant.applied(path.read_text()))
    return place


def test_attacks_are_many_and_of_every_law() -> None:
    assert len(ALL) >= 200
    count = Counter(attack.law for attack in ALL)
    assert {law: count[law] for law in LAWS if count[law] < 10} == {}


def test_mutants_are_each_attacks_own() -> None:
    shared = Counter(attack.mutant for attack in ALL)
    assert len([each for each in shared.values() if each > 1]) <= 3
    assert all(attack.title for attack in ALL)


def test_page_has_every_attack() -> None:
    if os.environ.get("AGENTDB_WRITE_SCHEMA"):
        PAGE.write_text(page(ALL))
    assert PAGE.read_text() == page(ALL)


def test_every_attack_has_something_that_must_hold() -> None:
    assert [a.name for a in ALL if not any(step.must for step in a.steps)] == []
