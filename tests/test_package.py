"""The wheel is all that a user needs, from any directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentdb import __version__

from .conftest import INSTALLER, Connection, Dump, MakeDatabase
from .servers import Server

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory into which the wheel was installed, and nothing else."""
    wheels = tmp_path_factory.mktemp("wheels")
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)]
    subprocess.run(build, check=True, timeout=120)
    (wheel,) = wheels.glob(f"agentdb-{__version__}-*.whl")
    install = [*pip, "install", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, timeout=120)
    return site


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
