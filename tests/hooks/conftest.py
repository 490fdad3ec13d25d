"""Coding agents from npm, `agentdb serve` before a database, hooks as a user installs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentdb.hook.settings import TOKEN

from ..agents import register
from ..serving import serving as taking
from .model import Model, Turn, serving

if TYPE_CHECKING:
    from ..conftest import Connection
    from ..servers import Server

BIN = Path(sys.prefix, "coding", "node_modules", ".bin")
PATIENCE = 120


@dataclass
class Workplace:
    """A home and a folder of an agent's user, a server, and the database behind it."""

    db: Connection
    url: str
    token: str
    home: Path
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Return what the agent's user has set."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "AGENTDB_SERVE": self.url,
            TOKEN: self.token,
            **self.variables,
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the agent's user."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def install(self, emitter: str) -> None:
        """Install the hooks as the documentation says."""
        done = self.run("agentdb", "hook", "install", "--yes", "--for", emitter)
        assert done.returncode == 0, done.stderr
        done = self.run("agentdb", "hook", "check", "--for", emitter)
        assert "agent coder" in done.stdout, done.stderr


@pytest.fixture
def workplace(server: Server, db: Connection, tmp_path: Path) -> Iterator[Workplace]:
    """Give what a developer has who was told to use agentdb."""
    register(db, "coder")
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    with taking(server, db) as serve:
        yield Workplace(db, serve.url, serve.token, home, folder)


@pytest.fixture
def program() -> Callable[[str], str]:
    """Give the path of a coding agent, or skip the test with the reason."""

    def find(name: str) -> str:
        if not (BIN / name).exists():
            pytest.skip(f"{name} is not installed: make .venv/coding")
        return str(BIN / name)

    return find


@pytest.fixture
def model() -> Iterator[Callable[[Mapping[str, list[Turn]]], Model]]:
    """Give a model that does as scripts say, until the end of the test."""
    with ExitStack() as stack:
        yield lambda scripts: stack.enter_context(serving(scripts))
