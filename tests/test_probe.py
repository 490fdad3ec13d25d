"""Which component of a path is in the way of whom: real files, real users."""

from __future__ import annotations

import os
import pwd
import struct
import subprocess
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

from agentdb.cli import main
from agentdb.verify import look
from agentdb.verify.access import ACCESS_LIST
from agentdb.verify.path import probe

ROOT = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can look as somebody else"
)
NOBODY = "nobody"


def as_nobody(path: Path | str, want: str = "read") -> dict[str, str]:
    """Probe as a user who owns nothing here."""
    answer = anyio.run(lambda: look.probe(str(path), want=want, user=NOBODY))
    return {name: str(value) for name, value in answer.items()}


def test_what_can_be_read_is_ok(place: Path) -> None:
    (place / "a").write_text("hello")
    answer = probe(f"{place}/./a")
    assert answer["verdict"] == "ok"
    assert answer["component"] == f"{place}/a"
    assert answer["size"] == 5


@pytest.mark.parametrize("want", ["read", "write"])
def test_missing_component_is_named(place: Path, want: str) -> None:
    answer = probe(f"{place}/no/such", want)
    assert (answer["verdict"], answer["component"]) == ("missing", f"{place}/no")
    assert "ENOENT" in answer["detail"]


def test_file_that_may_be_made_can_be_written(place: Path) -> None:
    assert probe(f"{place}/new", "write")["verdict"] == "ok"
    assert not (place / "new").exists()


def test_writing_is_tried_without_changing_anything(place: Path) -> None:
    file = place / "a"
    file.write_text("kept")
    os.utime(file, (1, 1))
    assert probe(str(file), "write")["verdict"] == "ok"
    assert (file.read_text(), file.stat().st_mtime) == ("kept", 1)


def test_file_in_the_place_of_a_directory(place: Path) -> None:
    (place / "a").touch()
    answer = probe(f"{place}/a/b")
    assert (answer["verdict"], answer["component"]) == (
        "not_a_directory",
        f"{place}/a",
    )


def test_links_are_followed_and_told(place: Path) -> None:
    (place / "real").write_text("x")
    (place / "one").symlink_to("two")
    (place / "two").symlink_to(place / "real")
    answer = probe(f"{place}/one")
    assert (answer["verdict"], answer["component"]) == ("ok", f"{place}/real")
    assert answer["links"] == [f"{place}/one -> two", f"{place}/two -> {place}/real"]


def test_dangling_link_is_told_from_a_missing_file(place: Path) -> None:
    (place / "link").symlink_to("nowhere")
    answer = probe(f"{place}/link")
    assert answer["verdict"] == "dangling_link"
    assert f"{place}/link -> nowhere" in answer["detail"]


def test_link_without_end(place: Path) -> None:
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    assert probe(f"{place}/a")["verdict"] == "link_loop"


@pytest.mark.parametrize("want", ["read", "write"])
def test_neither_fifo_nor_device_is_opened(place: Path, want: str) -> None:
    os.mkfifo(place / "fifo")
    assert probe(f"{place}/fifo", want)["verdict"] == "not_regular"
    assert probe("/dev/null", want)["verdict"] == "not_regular"


@pytest.mark.parametrize("path", ["relative", "", "/a\0b"])
def test_path_that_is_none(path: str) -> None:
    assert probe(path)["verdict"] == "invalid"


def test_read_only_file_system() -> None:
    found = [
        line.split()[1]
        for line in Path("/proc/mounts").read_text().splitlines()
        if "ro" in line.split()[3].split(",") and Path(line.split()[1]).is_dir()
    ]
    if not found:
        pytest.skip("nothing is mounted read-only here")
    assert probe(found[0], "write")["verdict"] == "read_only"


@ROOT
def test_directory_that_may_not_be_searched(place: Path) -> None:
    (place / "private").mkdir(mode=0o700)
    (place / "private" / "a").write_text("x")
    answer = as_nobody(place / "private" / "a")
    assert answer["verdict"] == "no_search"
    assert answer["component"] == f"{place}/private"
    assert answer["owner"].endswith("drwx------")
    assert answer["fix"] == f"setfacl -m u:nobody:x {place}/private"


@ROOT
@pytest.mark.parametrize(
    ("want", "verdict"), [("read", "unreadable"), ("write", "unwritable")]
)
def test_file_that_may_not_be_opened(place: Path, want: str, verdict: str) -> None:
    (place / "a b").write_text("x")
    (place / "a b").chmod(0o600)
    answer = as_nobody(place / "a b", want)
    assert answer["verdict"] == verdict
    assert answer["fix"] == f"setfacl -m u:nobody:{want[0]} '{place}/a b'"


@ROOT
def test_command_that_mends_does(place: Path) -> None:
    entry = pwd.getpwnam(NOBODY)
    file = place / "group"
    file.write_text("x")
    os.chown(file, 0, entry.pw_gid)
    file.chmod(0o600)
    fix = as_nobody(file)["fix"]
    assert fix == f"chmod g+r {file}"
    subprocess.run(fix, shell=True, check=True)
    assert as_nobody(file)["verdict"] == "ok"
    os.chown(file, entry.pw_uid, 0)
    file.chmod(0o0)
    fix = as_nobody(file)["fix"]
    assert fix == f"chmod u+r {file}"
    subprocess.run(fix, shell=True, check=True)
    assert as_nobody(file)["verdict"] == "ok"


@ROOT
def test_access_list_is_shown(place: Path) -> None:
    file = place / "a"
    file.write_text("x")
    # user::rw-, user:nobody:--x, group::r--, mask::r-x, other::---
    entries = [(1, 6, -1), (2, 1, pwd.getpwnam(NOBODY).pw_uid), (4, 4, -1)]
    entries += [(16, 5, -1), (32, 0, -1)]
    packed = b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(file, ACCESS_LIST, struct.pack("<I", 2) + packed)
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")
    answer = as_nobody(file)
    assert answer["verdict"] == "unreadable"
    assert answer["access_list"] == (
        "user::rw-,user:nobody:--x,group::r--,mask::r-x,other::---"
    )


@ROOT
def test_file_cannot_be_made_in_the_directory_of_another(place: Path) -> None:
    answer = as_nobody(place / "new", "write")
    assert (answer["verdict"], answer["component"]) == ("unwritable", str(place))


@ROOT
def test_headline_says_who_can_and_who_cannot(place: Path) -> None:
    (place / "a").write_text("x")
    (place / "a").chmod(0o600)
    done = CliRunner().invoke(main, ["probe", f"{place}/a", "--as", NOBODY])
    assert done.exit_code == 1
    assert "root can read it; nobody cannot" in done.output
    assert f"fix: setfacl -m u:nobody:r {place}/a" in done.output


@pytest.mark.skipif(os.geteuid() == 0, reason="root can look as anybody")
def test_nobody_but_root_looks_as_another(place: Path) -> None:
    done = CliRunner().invoke(main, ["probe", str(place), "--as", "root"])
    assert done.exit_code == 2
    assert "become root" in done.output


def test_user_who_does_not_exist(place: Path) -> None:
    done = CliRunner().invoke(main, ["probe", str(place), "--as", "no-such-user"])
    assert done.exit_code == 2
    assert "no-such-user" in done.output
