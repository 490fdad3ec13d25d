"""Root runs a server of ours as somebody else, and changes nobody's permissions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agentdb.local import LocalServer, LocalServerError, binaries
from agentdb.local.account import server_account

from .processes import parent_of, permissions, postmaster_of
from .servers import answer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up rights")


def test_root_runs_nothing_as_root(home: Path) -> None:
    account = server_account()
    with LocalServer(directory=home, fast=True) as server:
        postmaster = postmaster_of(home)
        for pid in (postmaster, parent_of(postmaster)):
            assert Path(f"/proc/{pid}").stat().st_uid == account.uid
        assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (account.uid, 0o700)
        assert server.unix_socket.stat().st_mode & 0o777 == 0o700


def test_root_can_name_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTDB_PG_USER", "nobody")
    with LocalServer(fast=True) as server:
        assert server.directory.owner() == "nobody"


@pytest.mark.parametrize("user", ["root", "no_such_user"])
def test_root_cannot_name_root_or_a_stranger(
    user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTDB_PG_USER", user)
    with pytest.raises(LocalServerError, match="AGENTDB_PG_USER"), LocalServer():
        pass


def test_root_is_told_which_directory_keeps_the_user_out(home: Path) -> None:
    home.mkdir(mode=0o700)
    with (
        pytest.raises(LocalServerError, match=f"{home} keeps it out\nhint: .*--direc"),
        LocalServer(directory=home / "deeper"),
    ):
        pass


def test_root_runs_programs_that_the_user_cannot_reach(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(binaries.BIN_VARIABLE, raising=False)
    home.mkdir(mode=0o700)
    installed = binaries.find(home).parent.parent
    libraries = installed.with_name(f"{installed.name}.libs")
    for folder in (installed, libraries):
        shutil.copytree(folder, home / folder.name, symlinks=True)
    monkeypatch.syspath_prepend(str(home))
    before = permissions(home / "bin")
    with LocalServer(fast=True) as server:
        assert server.bin.is_relative_to(home)
        assert answer(server.dsn(), "select 1") == 1
    assert not server.directory.exists()
    assert permissions(home / "bin") == before
