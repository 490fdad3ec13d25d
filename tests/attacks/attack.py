"""Reads an attack: what is tried, by whom, what it must meet, and its mutant.

An attack is a file of SQL.  Its head says what is tried, which law it tries (the folder
has its number and name), and how the pack is changed so that it succeeds:

    -- What the agent tries, in a sentence.
    -- Mutant: _are_tokens: `input >= 0` -> `true`

or `Mutant: sql: STATEMENT` for a grant, a trigger or a setting, or
`Mutant: file PATH: …` for a line of Python or of a migration.  Then come steps,
each the statements that one session sends:

    --@ a agent_a
    select run_id from agentdb.start_run();
    --@ a agent_a is=ZA004 must
    select * from agentdb.log_tokens(-5, 0);

The words are a session, the role that it logs in as (`postgres` is the superuser,
`cli:ROLE` runs a command of agentdb, `join` waits for a session that was left at work by
`async`), and what is expected: `is` (ok, a SQLSTATE, an exit code, `blocked` or `ended`,
several with |), `value`, `like` and `unlike` of the first value, `save` for `${name}`.
`file` takes the statements from common/, `servers=15-99` leaves a step out elsewhere.
`must` marks what the law promises: there the mutant lets the attack through, and
nowhere before.  It is through where the step succeeds, or meets what `through` names.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MUTANT = re.compile(r"(sql|file \S+|\w+): (.*)", re.DOTALL)
EDIT = re.compile(r"`([^`]+)` -> `([^`]*)`")


@dataclass(frozen=True)
class Mutant:
    """One clause of the pack, and what it is changed to."""

    what: str
    change: str

    @property
    def is_python(self) -> bool:
        return self.what.startswith("file ")

    @property
    def place(self) -> str:
        """Return the file and line that it changes."""
        if self.what == "sql":
            return self.change
        path, text, start = source_of(self.what)
        found = self._pattern.search(text, start)
        assert found, f"{path.name} has no {self._edit[0]}"
        line = text.count("\n", 0, found.start()) + 1
        return f"{path.relative_to(ROOT)}:{line}"

    def applied(self, text: str) -> str:
        """Return a definition with the clause changed."""
        changed, count = self._pattern.subn(lambda _: self._edit[1], text)
        assert count == 1, f"{count} times: {self._edit[0]}"
        return changed

    @property
    def _edit(self) -> tuple[str, str]:
        found = EDIT.fullmatch(self.change)
        assert found, f"no edit: {self.change}"
        return found[1], found[2]

    @property
    def _pattern(self) -> re.Pattern[str]:
        """Lines may be broken anywhere: a file of an attack reads best in one."""
        return re.compile(r"\s+".join(map(re.escape, self._edit[0].split())))


@dataclass(frozen=True)
class Step:
    """What one session sends, and what it must meet."""

    number: int
    session: str
    role: str
    text: str
    expected: dict[str, str] = field(hash=False)
    must: bool = False
    at_work: bool = False

    @property
    def limit(self) -> float:
        return float(self.expected.get("limit", 15))


@dataclass(frozen=True)
class Attack:
    """A file of this folder."""

    path: Path
    title: str
    mutant: Mutant
    steps: tuple[Step, ...]
    versions: tuple[int, int]

    @property
    def law(self) -> int:
        return int(self.path.parent.name.split("_")[1])

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"


def attacks() -> list[Attack]:
    """Return all attacks, by law."""
    return [read(path) for path in sorted(HERE.glob("law_*/*.sql"))]


def read(path: Path) -> Attack:
    """Return the attack of a file."""
    head, steps = _parts(path)
    said = " ".join(line[3:].strip() for line in head.splitlines())
    title, _, mutant = said.partition(" Mutant: ")
    only = re.search(r" Servers: (\d+)-(\d+)", title)
    found = MUTANT.fullmatch(mutant.strip())
    assert found, f"{path.name} names no mutant"
    return Attack(
        path,
        title[: only.start()] if only else title,
        Mutant(found[1], found[2].strip()),
        steps,
        (int(only[1]), int(only[2])) if only else (14, 99),
    )


def _step(number: int, part: str) -> Step:
    head, _, text = part.partition("\n")
    session, role, *words = shlex.split(head)
    expected = dict(word.split("=", 1) for word in words if "=" in word)
    if name := expected.pop("file", ""):
        text = (HERE / "common" / name).read_text() + text
    return Step(
        number, session, role, text, expected, "must" in words, "async" in words
    )


def read_steps(path: Path) -> tuple[Step, ...]:
    """Return the steps of a file that is no attack."""
    return _parts(path)[1]


def _parts(path: Path) -> tuple[str, tuple[Step, ...]]:
    """Return the head of a file, and its steps."""
    head, *parts = re.split(r"^--@ ", path.read_text(), flags=re.MULTILINE)
    return head, tuple(_step(number, part) for number, part in enumerate(parts, 1))


@cache
def source_of(what: str) -> tuple[Path, str, int]:
    """Return the file of a function, view or trigger, its text, and where it begins."""
    if what.startswith("file "):
        path = ROOT / what.removeprefix("file ")
        return path, path.read_text(), 0
    pattern = re.compile(
        rf"^create or replace (?:function|view) agentdb\.{what}\b", re.MULTILINE
    )
    for path in sorted(ROOT.glob("sql/*/*.sql")):
        text = path.read_text()
        if found := pattern.search(text):
            return path, text, found.start()
    raise AssertionError(f"nothing in sql/ is called {what}")


# Within a body no line begins like a statement of its own.
END = re.compile(r";\n+(?=comment|revoke|grant|alter|set|create|select|do|--|drop|$)")


def definition(what: str) -> str:
    """Return the statement that makes a function or a view."""
    _, text, start = source_of(what)
    found = END.search(text, start)
    assert found, f"{what} has no end"
    return text[start : found.start() + 1]
