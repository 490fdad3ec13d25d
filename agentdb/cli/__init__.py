"""The agentdb command: commands parse and print, the work is done elsewhere."""

from __future__ import annotations

from importlib import import_module

import click

from agentdb import __version__

# Loaded when asked for: `agentdb status` must not wait for what it does not use.
COMMANDS = {
    "ack": "alert",
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
    "demo": "demo",
    "doctor": "doctor",
    "install": "install",
    "kill": "stop",
    "lock": "lock",
    "locks": "lock",
    "notify": "outbox",
    "outbox": "outbox",
    "pause": "stop",
    "probe": "verify",
    "prompt": "agent",
    "questions": "question",
    "reject": "change",
    "resolve": "alert",
    "resume": "stop",
    "rules": "rules",
    "run": "serve",
    "runs": "read",
    "silence": "silence",
    "silences": "silence",
    "status": "read",
    "timeline": "read",
    "unack": "alert",
    "undo": "change",
    "uninstall": "install",
    "up": "serve",
    "verify": "verify",
    "why": "why",
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"agentdb.cli.{COMMANDS[cmd_name]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup)
@click.version_option(__version__)
def main() -> None:
    """Make autonomous agents debuggable and safe in Postgres.

    The connection comes from --dsn, from AGENTDB_DSN, or from libpq's variables.
    """
