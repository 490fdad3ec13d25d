"""What docker-compose.yml promises, as far as it can be seen without Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentdb import __version__
from agentdb.config import read
from agentdb.local import LocalServer

from .servers import answer, client, tell

FILE = Path(__file__).parent.parent / "docker-compose.yml"
LOCK = "requirements.lock"
PARTS = {
    "pyproject.toml", "README.md", "LICENSE", "agentdb", "alembic", "sql", LOCK,
}  # fmt: skip


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content = yaml.safe_load(FILE.read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def test_file_keeps_to_the_compose_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema"]
    schema = ["--builtin-schema", "vendor.compose-spec"]
    subprocess.run([*check, *schema, FILE], check=True)


def test_no_password_has_a_default_or_stands_on_a_command_line(
    compose: dict[str, Any],
) -> None:
    for service in compose["services"].values():
        environment = service.get("environment", {})
        for name in (name for name in environment if "PASSWORD" in name):
            assert re.fullmatch(r"\$\{\w+_PASSWORD:\?[\w ]+\}", environment[name])
        line = f"{service.get('entrypoint')}{service.get('command')}"
        assert "PASSWORD" not in line
    assert not re.search(r"://\w+:", FILE.read_text("utf-8"))


def test_runner_waits_for_the_installation_and_that_for_a_healthy_server(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    ends = {"condition": "service_completed_successfully"}
    assert services["install"]["depends_on"] == {
        "postgres": {"condition": "service_healthy"}
    }
    assert services["runner"]["depends_on"] == {"install": ends, "runner-role": ends}
    assert "healthcheck" in services["postgres"]


def test_runner_is_asked_for_its_health_where_it_serves_it(
    compose: dict[str, Any],
) -> None:
    runner = compose["services"]["runner"]
    address = runner["environment"]["AGENTDB_HEALTH_ADDRESS"]
    assert f"http://{address}/healthz" in runner["healthcheck"]["test"][-1]
    given = {k: v for k, v in runner["environment"].items() if k != "PGPASSWORD"}
    assert read(None, environment=given).health.place == ("127.0.0.1", 9464)


def test_only_this_machine_reaches_the_database(compose: dict[str, Any]) -> None:
    ports = [s["ports"] for s in compose["services"].values() if "ports" in s]
    assert ports == [["127.0.0.1:${POSTGRES_PORT:-5432}:5432"]]


def test_nothing_of_ours_runs_as_root(compose: dict[str, Any]) -> None:
    for name in ("install", "runner"):
        dockerfile = compose["services"][name]["build"]["dockerfile_inline"]
        assert re.search(r"^USER agentdb$", dockerfile, re.MULTILINE)
        assert compose["services"][name]["cap_drop"] == ["ALL"]


def test_image_gets_the_files_that_the_package_is_built_from(
    compose: dict[str, Any],
) -> None:
    dockerfile = compose["x-agentdb"]["build"]["dockerfile_inline"]
    copied = re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE)
    names = " ".join(copied).split()
    assert set(names) == PARTS
    assert all((FILE.parent / name).exists() for name in names)


def test_image_installs_what_is_locked_and_nothing_else(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    dockerfile = compose["x-agentdb"]["build"]["dockerfile_inline"]
    commands = re.findall(r"^RUN (pip .+?)(?: && useradd .*)?$", dockerfile, re.M)
    assert len(commands) == 2
    for name in PARTS:
        source = FILE.parent / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name)
        else:
            shutil.copy(source, tmp_path)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "image")], check=True)
    programs = tmp_path / "image" / "bin"
    for command in commands:
        words = [str(programs / "python"), "-m", *command.split()]
        subprocess.run(words, check=True, cwd=tmp_path)
    freeze = [str(programs / "python"), "-m", "pip", "list", "--format", "freeze"]
    listed = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout
    bare = {"pip", "setuptools", "wheel", "agentdb-pg"}
    installed = set(named(listed)) - {x for x in named(listed) if x[0] in bare}
    assert installed <= set(named((FILE.parent / LOCK).read_text()))
    done = subprocess.run(
        [str(programs / "agentdb"), "--version"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert __version__ in done.stdout


def named(text: str) -> list[tuple[str, str]]:
    """Return packages and versions of a list, as an index spells them."""
    found = re.findall(r"^([\w.-]+)(?:\[\w,]+\])?==([\w.]+)", text, re.M)
    return [(re.sub(r"[-_.]+", "-", name).lower(), v) for name, v in found]


def test_runner_role_is_made_once_and_its_password_set_each_time(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    script = tmp_path / "runner-role.sql"
    script.write_text(compose["configs"]["runner-role.sql"]["content"])
    service = compose["services"]["runner-role"]
    with LocalServer(fast=True) as server:
        tell(server.dsn(), "create role agentdb_operator")
        for password in ("first", "it's \\ second"):
            program, *options = service["entrypoint"]
            subprocess.run(
                [
                    client(server, program),
                    *options,
                    f"--file={script}",
                    "--dbname",
                    server.dsn(),
                ],
                check=True,
                env={**os.environ, "RUNNER_PASSWORD": password},
            )
        member = "select pg_has_role('agentdb_runner', 'agentdb_operator', 'member')"
        assert answer(server.dsn(), member)
        assert answer(
            server.dsn(),
            "select rolcanlogin from pg_roles where rolname = 'agentdb_runner'",
        )
