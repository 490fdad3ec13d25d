"""A server of our own goes with its owner, however that ends."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from agentdb.local import LocalServer

from .processes import (
    inhabitants,
    kill,
    linux,
    nothing_left,
    own,
    parent_of,
    postmaster_of,
)
from .servers import answer, tell

pytestmark = linux


def test_nothing_is_left_of_a_server_without_a_directory() -> None:
    with LocalServer(fast=True) as server:
        assert inhabitants(server.directory)
    assert nothing_left(server.directory)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_server_goes_with_its_owner(number: signal.Signals) -> None:
    owner = own()
    owner.end(number)
    assert nothing_left(owner.directory)


def test_server_goes_with_its_owner_though_a_forked_child_lives_on() -> None:
    owner = own(forks=True)
    owner.end(signal.SIGKILL)
    assert nothing_left(owner.directory)


def test_server_goes_with_its_owner_though_its_keeper_was_killed() -> None:
    with LocalServer(fast=True) as server:
        kill(parent_of(postmaster_of(server.directory)))
    assert nothing_left(server.directory)


@pytest.mark.usefixtures("temporary")
def test_next_start_sweeps_what_dead_owners_and_dead_keepers_left() -> None:
    owner = own()
    kill(owner.keeper)
    owner.end_alone()
    assert inhabitants(owner.directory)
    with LocalServer(fast=True):
        assert nothing_left(owner.directory)


@pytest.mark.usefixtures("temporary")
def test_next_start_leaves_the_server_of_a_live_owner_with_a_dead_keeper() -> None:
    owner = own()
    kill(owner.keeper)
    with LocalServer(fast=True):
        assert answer(owner.dsn, "select 1") == 1
    owner.end_alone()
    with LocalServer(fast=True):
        assert nothing_left(owner.directory)


def test_kept_directory_has_its_data_after_owner_and_keeper_were_killed(
    home: Path,
) -> None:
    owner = own(home)
    tell(owner.dsn, "create table t as select 7 as n", "checkpoint")
    kill(owner.keeper)
    owner.end_alone()
    with LocalServer(directory=home) as server:
        assert answer(server.dsn(), "select n from t") == 7
    assert not inhabitants(home)
