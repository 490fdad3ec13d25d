"""Every command with arguments that make sense, and ways to run one as a shell does."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from agentdb.cli import main

# What the scene has of each kind, and what it does not have.
THERE = {"agent": "billing", "run": "1", "table": "customer", "rule": "silent_loop",
         "change": "1", "lock": "nightly", "alert": "A-1", "question": "Q-1",
         "message": "1", "receiver": "stdout", "silence": "S-1", "token": "1"}  # fmt: skip
WRONG = {"agent": "nobody", "run": "4711", "table": "nothing", "rule": "none",
         "change": "4711", "lock": "nowhere", "alert": "A-4711", "question": "Q-4711",
         "message": "4711", "receiver": "void", "silence": "S-4711", "token": "4711"}  # fmt: skip
# A command that is missing here fails test_table_has_every_command.
ARGUMENTS = {
    "ack": "{alert} -m mine",
    "agent add": "billing --role {agent}",
    "alerts": "",
    "answer": "{question} yes",
    "approve": "{change} --digest x",
    "audit": "{table}",
    "change apply": "{change}",
    "change rebase": "{change}",
    "change show": "{change}",
    "change withdraw": "{change}",
    "changes": "",
    "check": "",
    "claims": "{run}",
    "config check": "",
    "costs": "",
    "demo": "",
    "doctor": "",
    "erase": "{table} 1 --reason x --yes",
    "gateway": "-- cat",
    "hook check": "",
    "hook install": "--yes",
    "hook remove": "--yes",
    "import": str(Path(__file__).parent / "data" / "intake" / "codex.jsonl"),
    "install": "--check",
    "intake problems": "",
    "intake revoke": "{token}",
    "intake token": "{agent}",
    "intake tokens": "",
    "kill": "{run} --reason x --yes",
    "lock release": "{lock} --reason x --yes",
    "locks": "",
    "maintain": "",
    "mark": "before",
    "mcp": "",
    "notify test": "{receiver} --wait 0",
    "outbox": "",
    "outbox drop": "{message}",
    "outbox retry": "{message}",
    "pause": "{agent} --reason x --yes",
    "probe": "/",
    "prompt": "{agent}",
    "questions": "",
    "report": "{run}",
    "reject": "{change} --reason x",
    "resolve": "{alert} --reason x",
    "resume": "{agent} --reason x --yes",
    "rules backtest": "{rule} --since 30m",
    "rules explain": "{rule}",
    "rules lint": "{rule}",
    "rules list": "",
    "rules tune": "{rule} --since 30m",
    "run": "",
    "runs": "",
    "seals": "",
    "serve": "",
    "adopt": "--as x",
    "digest": "",
    "silence": "expire {silence}",
    "silences": "",
    "status": "",
    "suspend": "guard {table} --reason x",
    "timeline": "{run}",
    "top": "",
    "unack": "{alert}",
    "undo": "{run} --reason x",
    "uninstall": "--yes",
    "unsuspend": "guard {table} --reason x",
    "up": "",
    "verify": "{run}",
    "web link": "",
    "web map": "ann operator_o",
    "web people": "",
    "web unmap": "ann",
    "why": "{alert}",
}
# Other things that a command can be asked, which go other ways.
MORE = [
    "alerts --all", "audit customer --at now", "audit customer --mark never", "audit customer 1", "changes --all",
    "kill --all --reason x --yes", "kill billing --reason x --yes", "locks --all",
    "outbox --dead", "rules lint", "runs --open", "undo 1 --row --dry-run",
    "silence agent=x --for 1h -m x", "verify", "why 1", "why billing",
]  # fmt: skip
# Which of them ask no database, or one of their own, or never stop asking.
APART = {
    "config check", "demo", "gateway", "hook check", "hook install", "hook remove", "mcp",
    "probe", "run", "serve", "top",
}  # fmt: skip
ASKING = sorted(set(ARGUMENTS) - APART)
NAMING = sorted(command for command in ASKING if "{" in ARGUMENTS[command])
# What docs/errors.md and `agentdb --help` list.
CODES = {0, 1, 2, 3, 70, 78, 130, 141}
PLUGINS = {"status": 3, "doctor": 3, "check": 3}


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def hint(self) -> str:
        """What it says to do next."""
        found = [s for s in self.err.splitlines() if s.startswith("hint: ")]
        return "\n".join(s.removeprefix("hint: ") for s in found)


def leaves(group: click.Group, *above: str) -> Iterator[str]:
    """Yield every command that can be typed, as in 'lock release'."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if not isinstance(command, click.Group):
            yield " ".join((*above, name))
            continue
        if command.invoke_without_command:
            yield " ".join((*above, name))
        yield from leaves(command, *above, name)


def words(command: str, names: dict[str, str] | None = None) -> list[str]:
    """Return a command with its arguments, of things that are there or that are not."""
    filled = ARGUMENTS[command].format(**(names or THERE))
    return [*command.split(), *filled.split()]


def run(
    patch: pytest.MonkeyPatch, typed: list[str], dsn: str = "", **environment: str
) -> Said:
    """Run a command as the installed script does, in this process.

    Nothing but an exit is let through: anything else would be a traceback.
    """
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = ending(patch, typed, dsn, **environment)
    return Said(code, out.getvalue(), err.getvalue())


def ending(
    patch: pytest.MonkeyPatch, typed: list[str], dsn: str, **environment: str
) -> int:
    """Call what the script calls and return the code that it exits with."""
    with patch.context() as here:
        here.setattr(sys, "argv", ["agentdb", *typed])
        here.setattr(sys, "stdin", io.StringIO())
        for name in ("PGHOST", "PGUSER", "PGDATABASE", "AGENTDB_CONFIG", "COLUMNS"):
            here.delenv(name, raising=False)
        for name, text in {"AGENTDB_DSN": dsn, **environment}.items():
            here.setenv(name, text)
        with pytest.raises(SystemExit) as found:
            sys.exit(main())
    code = found.value.code
    assert isinstance(code, int)
    return code


def is_orderly(said: Said) -> None:
    """A documented code, no traceback, and of a failure the message before the rest."""
    assert said.code in CODES - {70}, said
    assert "Traceback" not in said.out + said.err
    # Long ones say in a pipe first what is at work.
    lines = [line for line in said.err.splitlines() if not line.endswith(" …")]
    first, *rest = lines or [""]
    if first.startswith(("Error: ", "unknown: ")):
        assert len(first) > len("unknown: ")
        assert all(line.startswith(("detail: ", "hint: ")) for line in rest), said.err
