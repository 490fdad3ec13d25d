"""The wheel is all that a user needs, from any directory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from agentdb import __version__

from .conftest import INSTALLER, Connection, Dump, MakeDatabase
from .servers import Server

ROOT = Path(__file__).parent.parent


PARTS = ("agentdb", "alembic", "sql", "LICENSE", "README.md", "pyproject.toml")
LINE = re.compile(r"^\$ (pip .*)$", re.M)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout in which the README's first line has built the wheel."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy(source, folder)
    build, _ = LINE.findall((ROOT / "README.md").read_text())
    assert "wheel" in build
    type_in(build, folder, Path(sys.prefix, "bin"))
    return folder


@pytest.fixture(scope="module")
def site(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory into which the wheel was installed, and nothing else."""
    site = tmp_path_factory.mktemp("site")
    (wheel,) = checkout.glob(f"dist/agentdb_pg-{__version__}-*.whl")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    install = [*pip, "install", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, timeout=120)
    return site


@pytest.fixture(scope="module")
def programs(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an empty environment in which its second line was typed."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    _, install = LINE.findall((ROOT / "README.md").read_text())
    type_in(install, checkout, folder / "bin")
    return folder / "bin"


def type_in(line: str, folder: Path, programs: Path, **environment: str) -> str:
    """Type a line into a shell that finds an environment's programs first."""
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **environment,
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pages_install_by_the_lines_of_the_readme() -> None:
    lines = LINE.findall((ROOT / "README.md").read_text())
    assert LINE.findall((ROOT / "docs" / "install.md").read_text()) == lines
    assert lines[1] in (ROOT / "docs" / "runner.md").read_text()


def test_line_of_the_readme_installs_a_command_that_works(
    programs: Path, tmp_path: Path
) -> None:
    said = type_in("command -v agentdb && agentdb --version", tmp_path, programs)
    assert said.split() == [f"{programs}/agentdb", "agentdb,", "version", __version__]
    script = type_in("agentdb install --sql", tmp_path, programs)
    assert script.startswith("BEGIN;") and "function agentdb.start_run" in script


def test_command_for_an_extra_leaves_what_is_installed(
    programs: Path, tmp_path: Path
) -> None:
    """Whoever takes our name on an index does not get in by it."""
    strange_wheel(tmp_path)
    code = "from agentdb import extra; print(extra.command('apprise'))"
    command = type_in(f'python -c "{code}"', tmp_path, programs).strip()
    index = {"PIP_FIND_LINKS": str(tmp_path)}
    type_in("pip download --no-deps agentdb-pg -d theirs", tmp_path, programs, **index)
    assert list(tmp_path.glob("theirs/agentdb_pg-99-*")), "pip would not have found it"
    type_in(command, tmp_path, programs, **index)
    type_in("python -c 'import apprise'", tmp_path, programs)
    said = type_in("pip show agentdb-pg", tmp_path, programs)
    assert f"Version: {__version__}\n" in said


def strange_wheel(folder: Path) -> None:
    """Make a later version of our distribution that is not ours."""
    info = "agentdb_pg-99.dist-info"
    files = {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: agentdb-pg\nVersion: 99\n"
        "Provides-Extra: apprise\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with ZipFile(folder / "agentdb_pg-99-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


def test_wheel_brings_its_sql_its_revisions_and_the_recordings(site: Path) -> None:
    package = site / "agentdb"
    for kept in ("sql", "alembic"):
        shipped = {
            path.relative_to(package) for path in (package / kept).rglob("*.[sp]*")
        }
        ours = {path.relative_to(ROOT) for path in (ROOT / kept).rglob("*.[sp]*")}
        assert {p for p in shipped if "__pycache__" not in p.parts} == {
            p for p in ours if "__pycache__" not in p.parts
        }
    for name in ("py.typed", "demo/data/coding.jsonl", "demo/data/LICENSE"):
        assert (package / name).is_file()
    assert not (site / "alembic").exists()


def test_installed_wheel_installs_the_pack_from_another_directory(
    site: Path,
    server: Server,
    make_database: MakeDatabase,
    db: Connection,
    dump: Dump,
    tmp_path: Path,
) -> None:
    name = make_database()
    done = subprocess.run(
        [sys.executable, "-c", "import agentdb; print(agentdb.__file__)"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
    )
    assert done.stdout.startswith(str(site))
    subprocess.run(
        [sys.executable, "-m", "agentdb", "install"],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(site),
            "AGENTDB_DSN": server.dsn(database=name, user=INSTALLER),
        },
    )
    assert dump(name) == dump(db.info.dbname)
