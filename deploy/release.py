"""Makes a release: wheel and sdist, what they need, how they were made, a signature.

    python deploy/release.py KEY REPOSITORY COMMIT

KEY is the private SSH key of whoever releases; COMMIT is checked out of REPOSITORY.  In
dist/ there are then the wheel and the sdist, built twice and equal; `sbom.cdx.json`,
every package that the lock file installs beside them (CycloneDX); `provenance.json`, an
in-toto statement of SLSA's provenance, which names their hashes and that commit; and
`provenance.json.sig`, its signature, which `ssh-keygen -Y verify -n agentdb` checks.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def main(key: str, repository: str, commit: str, dist: Path = ROOT / "dist") -> None:
    """Make all of it, or raise what failed."""
    with tempfile.TemporaryDirectory() as other:
        first, second = build(dist), build(Path(other))
    if first != second:
        raise SystemExit(f"two builds differ: {first} and {second}")
    bill = dist / "sbom.cdx.json"
    describe(bill)
    first[bill.name] = digest(bill)
    statement = dist / "provenance.json"
    statement.write_text(
        json.dumps(provenance(first, repository, commit), indent=2) + "\n"
    )
    sign(statement, key)


def build(folder: Path) -> dict[str, str]:
    """Build the wheel and the sdist; return their names and SHA-256."""
    folder.mkdir(exist_ok=True)
    # What an earlier release has left would be signed again.
    for former in folder.iterdir():
        former.unlink()
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1577836800"}
    run(
        sys.executable,
        "-m",
        "build",
        "--outdir",
        str(folder),
        str(ROOT),
        env=environment,
    )
    return {path.name: digest(path) for path in sorted(folder.iterdir())}


def describe(bill: Path) -> None:
    """Write which packages the lock file installs, with versions and hashes."""
    lock = str(ROOT / "requirements.lock")
    command = ("-m", "cyclonedx_py", "requirements", lock, "--output-reproducible")
    pyproject = ("--pyproject", str(ROOT / "pyproject.toml"))
    run(sys.executable, *command, *pyproject, "--of", "JSON", "-o", str(bill))


def provenance(made: dict[str, str], repository: str, commit: str) -> dict[str, Any]:
    """Return the statement of how the artifacts were made."""
    source = {"uri": f"git+{repository}", "digest": {"gitCommit": commit}}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": sha256}}
            for name, sha256 in made.items()
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{repository}#deploy/release.py",
                "externalParameters": {"source": source},
                "resolvedDependencies": [source],
            },
            "runDetails": {"builder": {"id": f"{repository}#Makefile"}},
        },
    }


def sign(statement: Path, key: str) -> None:
    """Sign it as `ssh-keygen -Y verify -n agentdb` reads it."""
    statement.with_suffix(".json.sig").unlink(missing_ok=True)
    run("ssh-keygen", "-q", "-Y", "sign", "-n", "agentdb", "-f", key, str(statement))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(*command: str, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(*sys.argv[1:])
