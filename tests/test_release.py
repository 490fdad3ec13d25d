"""A release can be checked: what it is, what it needs, from which commit, by whom."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REPOSITORY, COMMIT = "ssh://example/agentdb.git", "0" * 40
PARTS = ("agentdb", "alembic", "sql", "deploy", "docs")
FILES = ("LICENSE", "README.md", "pyproject.toml", "requirements.lock", "CHANGELOG.md")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a release that was made from a copy of the checkout."""
    pytest.importorskip("cyclonedx_py", reason="make .venv/release installs it")
    if not shutil.which("ssh-keygen"):
        pytest.skip("there is no ssh-keygen here")
    folder = tmp_path_factory.mktemp("checkout")
    for name in PARTS:
        shutil.copytree(ROOT / name, folder / name)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")]
    subprocess.run(keygen, check=True)
    command = [sys.executable, "deploy/release.py", "key", REPOSITORY, COMMIT]
    subprocess.run(command, check=True, cwd=folder)
    return folder / "dist"


def verified(dist: Path) -> bool:
    """Whether the signature of the provenance is that of whoever released."""
    signers = dist.parent / "signers"
    signers.write_text(f"release {(dist.parent / 'key.pub').read_text()}")
    command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "release"]
    done = subprocess.run(
        [*command, "-n", "agentdb", "-s", str(dist / "provenance.json.sig")],
        input=(dist / "provenance.json").read_bytes(),
        capture_output=True,
    )
    return done.returncode == 0


def test_provenance_names_each_artifact_and_is_signed(dist: Path) -> None:
    statement = json.loads((dist / "provenance.json").read_text())
    told = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    assert {Path(name).suffix for name in told} == {".whl", ".gz", ".json"}
    for name, sha256 in told.items():
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == sha256
    (source,) = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert source == {"uri": f"git+{REPOSITORY}", "digest": {"gitCommit": COMMIT}}
    assert verified(dist)
    text = (dist / "provenance.json").read_text()
    (dist / "provenance.json").write_text(text.replace(COMMIT, "1" * 40))
    assert not verified(dist)


def test_bill_of_materials_has_every_locked_package(dist: Path) -> None:
    bill = json.loads((dist / "sbom.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    listed = {(each["name"], each["version"]) for each in bill["components"]}
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = [line.split(" ")[0].split("==") for line in lines if "==" in line]
    assert {(name.partition("[")[0], version) for name, version in locked} <= listed
