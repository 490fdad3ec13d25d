"""The README is true: every command and every statement in it is executed."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from agentdb.demo import demo
from agentdb.local import LocalServer

from .ports import free_port
from .servers import answer, client, tell

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data" / "intake"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n(?=(?:```text\n(.*?)^```$)?)", re.M | re.S)
# How long a runner may take to notice.
PATIENCE = 60.0
NUMBER = re.compile(r"\bA-\d+")
# What differs from one run to the next.
VARIES = (
    (r"\bA-\d+", "A-N"),
    (r"used \d+ tokens", "used N tokens"),
    (r"\d+ of \d+ calls of", "N of N calls of"),
    (r"-{2,}[-+]*", "--"),
    (r"[━─]+", ""),
    (r"\s+", " "),
)

GOING = """
select count(*) from pg_stat_activity
where application_name = 'psql' and usename = '{}'
"""


def plain(text: str) -> str:
    for pattern, replacement in VARIES:
        text = re.sub(pattern, replacement, text)
    return text.strip()


def agrees(expected: str, found: str) -> None:
    """Every part between ellipses occurs in what was found, in this order."""
    rest = plain(found)
    for part in expected.split("…"):
        assert plain(part) in rest, f"{plain(part)!r} is not in {rest!r}"
        rest = rest[rest.index(plain(part)) + len(plain(part)) :]


def numbers(expected: str, printed: str) -> dict[str, str]:
    """Return what the alerts are called here that a page shows, each on its line."""
    found = {}
    for shown in filter(NUMBER.match, expected.splitlines()):
        ours = ".*".join(re.escape(plain(part)) for part in shown.split("…"))
        lines = [line for line in printed.splitlines() if re.match(ours, plain(line))]
        assert lines, f"{shown!r} is on no line of {printed!r}"
        found[shown.split()[0]] = lines[0].split()[0]
    return found


def test_alert_is_found_by_its_line_whatever_its_number() -> None:
    page = "…\nA-1 …silent_loop…\nA-2 is resolved\n"
    printed = """alert  state   rule
A-3    firing  tool_errors
A-2    firing  silent_loop
A-3 is resolved
"""
    assert numbers(page, printed) == {"A-1": "A-2", "A-2": "A-3"}


def blocks(path: Path) -> list[tuple[str, str, str]]:
    """Return the code blocks of a page with the output that follows, in order."""
    return [(m[1], m[2], m[3] or "") for m in BLOCK.finditer(path.read_text())]


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A server that only this page knows."""
    with LocalServer(fast=True) as server:
        yield server


OWNER = (
    "create role owner login createrole;"
    "create database app owner owner encoding 'UTF8' template template0"
)


class Reader:
    """Somebody who types in what a page says.

    The `dba` of a page is a plain owner of the database, as managed services give it.
    """

    token = ""

    def __init__(self, server: LocalServer, place: Path) -> None:
        self.server = server
        self.place = place
        self.user = "owner"
        self.printed = ""
        self.background = ExitStack()
        self.waits = False
        # The numbers of a page's alerts, and what they are here.
        self.alerts: dict[str, str] = {}
        # What is set by hand, and what somebody has who works with a coding agent.
        self.variables = {"HOME": str(place)}
        session = place / ".claude" / "projects" / "x" / "session.jsonl"
        session.parent.mkdir(parents=True)
        session.write_bytes((DATA / "claude-code.jsonl").read_bytes())
        tell(server.dsn(), *OWNER.split(";"))
        self.psql = client(server, "psql")

    def type_sql(self, text: str) -> str:
        """Run a block in psql as the role that its first line names."""
        role = re.match(r"-- as (\w+)\n", text)
        assert role, f"who runs this? {text}"
        user = "owner" if role[1] == "dba" else role[1]
        done = subprocess.run(
            [self.psql, "-X", "-q", self.dsn(user)],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # A session that has said goodbye is there for a moment longer.
        end = time.monotonic() + 10
        while answer(self.server.dsn(), GOING.format(user)) and time.monotonic() < end:
            time.sleep(0.02)
        return done.stdout

    def dsn(self, user: str) -> str:
        return self.server.dsn(user=user, database="app")

    def type_python(self, text: str) -> str:
        """Run a program that says as whom; others are parts of one."""
        if not (role := re.match(r"# as (\w+)", text)):
            self.write(text)
            return ""
        return self._type([sys.executable, "-c", text], role[1])

    def write(self, text: str) -> None:
        """Keep a file that says where it belongs."""
        if found := re.match(r"# file: (\S+)\n", text):
            path = self.place / found[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def type_command(self, line: str) -> str:
        """Run a command, for what is installed from the working tree."""
        if line.startswith("export AGENTDB_DSN="):
            user = re.search(r"//(\w+)@db\.example/app$", line)
            assert user, line
            self.user = user[1]
            return ""
        if line.startswith("export AGENTDB_INTAKE_TOKEN="):
            self.variables["AGENTDB_INTAKE_TOKEN"] = self.token
            return ""
        if line.startswith(("make ", "pip ")):
            return ""
        command, *arguments = shlex.split(self.filled_in(line))
        assert command in ("agentdb", "alembic"), line
        program = [sys.executable, "-m", command, *arguments]
        if arguments == ["serve", "&"]:
            # Another page may have the port at the same time.
            where = f"127.0.0.1:{free_port()}"
            program[-1:] = ["--listen", where, "&"]
            self.variables["AGENTDB_SERVE"] = f"http://{where}"
        if arguments[-1] == "&":
            self.background.enter_context(
                started(program[:-1], self._own(self.user), self.place)
            )
            self.waits = True
            return ""
        self.printed = self._type(program, self.user)
        if found := re.search(r"AGENTDB_INTAKE_TOKEN=(\S+)", self.printed):
            self.token = found[1]
        return self.printed

    def filled_in(self, line: str) -> str:
        """Return a command with the digest and the alerts as they were printed.

        Which of two alerts is A-1 is not known before: evaluators do not wait in line.
        """
        line = line.replace("~/", f"{self.place}/")
        if digests := re.findall(r"--digest (\w+)", self.printed):
            line = line.replace("--digest …", f"--digest {digests[-1]}")
        return NUMBER.sub(lambda name: self.alerts.get(name[0], name[0]), line)

    def type_until(self, line: str, expected: str) -> None:
        """Run a command; a look again while a runner may not have got so far."""
        looks = self.waits and line.split()[1] in ("status", "alerts", "why", "hook")
        end = time.monotonic() + (PATIENCE if looks else 0)
        while True:
            found = self.type_command(line)
            try:
                agrees(expected, found)
                self.alerts |= numbers(expected, found)
                return
            except AssertionError:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.5)

    def _type(self, arguments: list[str], user: str) -> str:
        done = subprocess.run(
            arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.place,
            env=self._own(user),
        )
        return done.stdout

    def _own(self, user: str) -> dict[str, str]:
        own = {"AGENTDB_DSN": self.dsn(user), "COLUMNS": "100"}
        return {**os.environ, **own, **self.variables}


@contextmanager
def started(
    program: list[str], environment: dict[str, str], place: Path
) -> Iterator[None]:
    """Run a program in the background of a page."""
    child = subprocess.Popen(
        program,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=place,
    )
    try:
        yield
    finally:
        child.terminate()
        assert child.wait(30) == 0


def commands(text: str) -> list[tuple[str, str]]:
    """Return the commands of a transcript with their outputs."""
    parts = re.split(r"^\$ ", text, flags=re.M)[1:]
    split = (part.partition("\n") for part in parts)
    return [(command, output) for command, _, output in split]


PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples/README.md",
]


@pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}"
)
def test_page_is_true(page: Path, server: LocalServer, tmp_path: Path) -> None:
    reader = Reader(server, tmp_path)
    with reader.background:
        read(page, reader)


def read(page: Path, reader: Reader) -> None:
    """Type in all of a page, in order."""
    if page != ROOT / "README.md" and not page.name.startswith("quickstart"):
        prepare(reader)
    for kind, text, expected in blocks(page):
        if kind == "sql":
            found = reader.type_sql(text)
            if not expected:
                assert "ERROR" not in found, found
            agrees(expected, found)
        elif kind == "python":
            agrees(expected, reader.type_python(text))
        elif kind == "console":
            for command, output in commands(text):
                if not command.startswith("make "):
                    reader.type_until(command, output)
        elif kind == "toml":
            reader.write(text)
        else:
            assert kind in ("text", "json", "mermaid", "sh"), kind


def prepare(reader: Reader) -> None:
    """The other pages begin where the README's installation ends."""
    reader.type_command("agentdb install")
    add = "agentdb agent add billing --role billing_agent --create-role"
    assert "registered" in reader.type_command(add)


def test_demo_prints_what_the_readme_shows() -> None:
    out = io.StringIO()
    demo(Console(file=out, width=200), factor=60)
    (shown,) = (
        output
        for kind, text, _ in blocks(ROOT / "README.md")
        if kind == "console"
        for command, output in commands(text)
        if command == "make demo"
    )
    found = plain(out.getvalue())
    for line in re.split(r"…|\n", shown):
        assert plain(line) in found


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_readme_begins_as_a_reader_needs() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert lines[0] == "# agentdb"
    assert lines[2].startswith("agentdb makes")
    assert "$ make demo" in lines[:20]
