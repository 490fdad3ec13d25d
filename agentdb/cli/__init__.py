"""The agentdb command: commands parse and print, the work is done elsewhere."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from agentdb import __version__

from ..terminal.console import plain
from .failure import ended

# Loaded when asked for: `agentdb status` must not wait for what it does not use.
COMMANDS = {
    "ack": "alert",
    "adopt": "installation",
    "agent": "agent",
    "alerts": "read",
    "answer": "question",
    "approve": "change",
    "audit": "audit",
    "change": "change",
    "changes": "change",
    "check": "check",
    "claims": "verify",
    "config": "config",
    "costs": "read",
    "demo": "demo",
    "digest": "installation",
    "doctor": "doctor",
    "erase": "erase",
    "gateway": "mcp",
    "hook": "hook",
    "import": "import_",
    "install": "install",
    "intake": "intake",
    "kill": "stop",
    "lock": "lock",
    "locks": "lock",
    "maintain": "install",
    "mark": "audit",
    "mcp": "mcp",
    "notify": "outbox",
    "outbox": "outbox",
    "pause": "stop",
    "probe": "verify",
    "prompt": "agent",
    "questions": "question",
    "reject": "change",
    "report": "report",
    "resolve": "alert",
    "resume": "stop",
    "rules": "rules",
    "run": "serve",
    "runs": "read",
    "seals": "seals",
    "serve": "serve",
    "silence": "silence",
    "silences": "silence",
    "status": "read",
    "suspend": "suspend",
    "timeline": "read",
    "top": "top",
    "unack": "alert",
    "undo": "undo",
    "uninstall": "install",
    "unsuspend": "suspend",
    "up": "serve",
    "verify": "verify",
    "web": "web",
    "why": "why",
}


EXIT_CODES = """
\b
Exit codes:
  0    done, and all is well
  1    it failed, or found what it looks for: a finding, a conflict, a refusal
  2    the command line is wrong
  70   a fault of agentdb itself
  78   the configuration is wrong
  130  interrupted by Ctrl-C
  141  nobody reads what is printed: its pipe was closed
status, check and doctor are 0, 1, 2 or 3 as monitoring plugins are.
"""


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # For those who explain an error: it wants other rights than other commands.
        ctx.meta["command"] = cmd_name
        module = import_module(f"agentdb.cli.{COMMANDS[cmd_name]}")
        command = getattr(module, f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; whatever goes wrong in it becomes a message with a hint."""
        from .options import reports_errors

        if plain():
            ctx.color = False
        return reports_errors(super().invoke)(ctx)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the command line; its help may meet with a closed pipe too."""
        from .options import reports_errors

        return reports_errors(super().make_context)(*args, **extra)

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command line and leave with its exit code."""
        work = partial(super().main, *args, standalone_mode=False, **extra)
        if not standalone_mode:
            return work()
        sys.exit(ended(work))


@click.group(cls=LazyGroup, epilog=EXIT_CODES)
@click.version_option(__version__)
def main() -> None:
    """Make autonomous agents debuggable and safe in Postgres.

    The connection comes from --dsn, from AGENTDB_DSN, or from libpq's variables.
    """
