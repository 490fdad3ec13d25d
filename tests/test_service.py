"""The unit of systemd starts what the package installs."""

from __future__ import annotations

import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentdb.cli import main
from agentdb.cli.failure import Unconfigured

FILE = Path(__file__).parent.parent / "deploy" / "agentdb.service"


@pytest.fixture(scope="module")
def service() -> dict[str, str]:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(FILE)
    return dict(unit["Service"])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = FILE.read_text().replace("/opt/agentdb/bin/agentdb", "/bin/true")
    (tmp_path / FILE.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / FILE.name)],
        capture_output=True,
        text=True,
    )
    assert FILE.name not in done.stderr, done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("key", ["ExecStart", "ExecStartPre"])
def test_unit_starts_commands_that_there_are(service: dict[str, str], key: str) -> None:
    program, *arguments = service[key].split()
    assert program == "/opt/agentdb/bin/agentdb"
    assert CliRunner().invoke(main, [*arguments, "--help"]).exit_code == 0


def test_unit_leaves_a_bad_configuration_to_people(service: dict[str, str]) -> None:
    assert service["RestartPreventExitStatus"] == str(Unconfigured.exit_code)
    assert service["Type"] == "notify" and "HUP" in service["ExecReload"]


def test_unit_gives_time_to_finish(service: dict[str, str]) -> None:
    from agentdb.config import Settings

    usual = Settings()
    assert int(service["TimeoutStopSec"]) > usual.deadline + usual.settle
