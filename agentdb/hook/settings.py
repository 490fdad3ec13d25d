"""The settings of coding agents: which hooks they have, and ours among them.

A file is changed as a whole and atomically; what it was is kept beside it, so that it
is as it was, to the byte, when ours are taken out, unless somebody else changed it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The variable that has it.
TOKEN = "AGENTDB_INTAKE_TOKEN"  # noqa: S105
COMMAND = "agentdb-hook"
KEPT = ".agentdb-before"
# Seconds; an event that nobody takes in time is lost, and the agent goes on.
PATIENCE = 5
# What Claude Code can send by itself; a server's answer takes it a millisecond or two.
BY_HTTP = (
    "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure",
    "PermissionDenied", "SubagentStart",
)  # fmt: skip
# A start is sent to no address, and after the others the transcript is read.
BY_COMMAND = (
    "SessionStart", "PostToolBatch", "PreCompact", "Stop", "StopFailure",
    "SubagentStop", "SessionEnd",
)  # fmt: skip
CODEX = (
    "SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PreCompact",
    "SubagentStart", "SubagentStop", "Stop", "SessionEnd",
)  # fmt: skip
GEMINI = (
    "SessionStart", "BeforeAgent", "BeforeTool", "AfterTool", "AfterAgent",
    "SessionEnd",
)  # fmt: skip


class Unusable(ValueError):
    """A settings file that cannot be changed; says why and what to do."""


@dataclass(frozen=True)
class Emitter:
    """A coding agent: where its hooks are, and what ours are."""

    name: str
    #: The variable that names its folder, the folder, and the file in it.
    variable: str
    folder: str
    file: str
    events: tuple[str, ...]

    def path(self, *, project: bool) -> Path:
        """Return the file of the project here, or of the user."""
        if project:
            return Path.cwd() / self.folder / self.file
        home = os.environ.get(self.variable)
        return (Path(home) if home else Path.home() / self.folder) / self.file

    def hooks(self, url: str, *, project: bool) -> dict[str, Any]:
        """Return our hooks by event.

        A project's are everybody's: the command is found by PATH, and the address and
        the token come from the environment of whoever works there.
        """
        program = COMMAND if project else _installed()
        # Gemini counts in milliseconds.
        patience = PATIENCE * 1000 if self.name == "gemini" else PATIENCE
        command = {"type": "command", "command": program, "timeout": patience}
        if url != DEFAULT and not project:
            command["command"] = f"AGENTDB_SERVE={shlex.quote(url)} {program}"
        http = {
            "type": "http",
            "url": f"{url}/hook",
            "headers": {"Authorization": f"Bearer ${TOKEN}"},
            "allowedEnvVars": [TOKEN],
            "timeout": PATIENCE,
        }
        by_http = BY_HTTP if url.startswith("http") and self.name == "claude" else ()
        return {
            event: {"hooks": [http if event in by_http else command]}
            for event in self.events
        }


DEFAULT = "http://127.0.0.1:4318"
EMITTERS = {
    each.name: each
    for each in (
        Emitter(
            "claude",
            "CLAUDE_CONFIG_DIR",
            ".claude",
            "settings.json",
            BY_HTTP + BY_COMMAND,
        ),
        Emitter("codex", "CODEX_HOME", ".codex", "hooks.json", CODEX),
        Emitter("gemini", "GEMINI_CLI_HOME", ".gemini", "settings.json", GEMINI),
    )
}


def _installed() -> str:
    """Return the command of this installation, else the one that PATH has."""
    beside = Path(sys.executable).parent / COMMAND
    return (
        shlex.quote(str(beside))
        if beside.exists()
        else shutil.which(COMMAND) or COMMAND
    )


def is_ours(hook: object) -> bool:
    """Tell whether a hook was written by us."""
    if not isinstance(hook, Mapping):
        return False
    if hook.get("type") == "http":
        return TOKEN in (hook.get("allowedEnvVars") or ())
    words = str(hook.get("command", "")).split()
    return any(Path(word.strip("'\"")).name == COMMAND for word in words)


class Settings:
    """One settings file, as it is and as it shall be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.before: bytes | None = path.read_bytes()
        except FileNotFoundError:
            self.before = None
        except OSError as error:
            raise Unusable(f"{path} cannot be read: {error.strerror}") from error
        self.data = self._parsed()

    def _parsed(self) -> dict[str, Any]:
        if not (self.before or b"").strip():
            return {}
        try:
            found = json.loads(self.before or b"")
        except ValueError as error:
            raise Unusable(
                f"{self.path} is no JSON: {error}; nothing was changed"
            ) from error
        hooks = found.get("hooks", {}) if isinstance(found, dict) else None
        if not isinstance(hooks, dict) or not all(
            isinstance(groups, list) for groups in hooks.values()
        ):
            raise Unusable(f"{self.path} has hooks of a shape that is not known")
        return dict(found)

    def with_hooks(self, ours: Mapping[str, Any]) -> bytes:
        """Return the file with our hooks, each once, beside those of others."""
        data = self._without()
        hooks = data.setdefault("hooks", {})
        for event, group in ours.items():
            hooks.setdefault(event, []).append(group)
        return self.before if data == self.data and self.before else self._text(data)

    def without_hooks(self) -> bytes | None:
        """Return the file without our hooks, None where there was none before."""
        kept = self._kept()
        if kept:
            return kept["before"].encode() if kept["before"] is not None else None
        data = self._without()
        return self.before if data == self.data else self._text(data)

    def missing(self, ours: Mapping[str, Any]) -> list[str]:
        """Return the events of which a hook of ours is missing or another."""
        hooks = self.data.get("hooks", {})
        return [
            event for event, group in ours.items() if group not in hooks.get(event, [])
        ]

    def has_ours(self) -> bool:
        """Tell whether any hook is ours."""
        return self._without() != self.data

    def _without(self) -> dict[str, Any]:
        data = json.loads(json.dumps(self.data))
        hooks = data.get("hooks", {})
        for event, groups in list(hooks.items()):
            for group in list(groups):
                if isinstance(group, dict) and isinstance(group.get("hooks"), list):
                    others = [hook for hook in group["hooks"] if not is_ours(hook)]
                    if others != group["hooks"] and not others:
                        groups.remove(group)
                    group["hooks"] = others
            if not groups and self.data["hooks"][event]:
                del hooks[event]
        if not hooks and self.data.get("hooks"):
            del data["hooks"]
        return dict(data)

    def _text(self, data: dict[str, Any]) -> bytes:
        indent = re.search(rb"\n([ \t]+)\"", self.before or b"")
        text = json.dumps(
            data, indent=(indent[1].decode() if indent else 2), ensure_ascii=False
        )
        end = "\n" if self.before is None or self.before.endswith(b"\n") else ""
        return (text + end).encode()

    @property
    def _keep(self) -> Path:
        return self.path.with_name(self.path.name + KEPT)

    def _kept(self) -> dict[str, Any]:
        """Return what the file was before ours, if nobody has changed it since."""
        try:
            kept = json.loads(self._keep.read_bytes())
            if kept["after"] == _digest(self.before) and "before" in kept:
                return dict(kept)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return {}

    def diff(self, after: bytes | None) -> str:
        """Return what would change, as `diff -u` shows it."""
        return "".join(
            difflib.unified_diff(
                (self.before or b"").decode(errors="replace").splitlines(keepends=True),
                (after or b"").decode(errors="replace").splitlines(keepends=True),
                str(self.path) if self.before is not None else os.devnull,
                str(self.path) if after is not None else os.devnull,
            )
        )

    def write(self, after: bytes) -> None:
        """Put our version in place, and keep beside it what it takes to undo that."""
        former = None if self.before is None else self.before.decode()
        kept = {"before": former, **self._kept(), "after": _digest(after)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Ours alone: a link there would be somebody's who wants another file written.
        _replace(self._keep, json.dumps(kept).encode())
        _replace(self.path.resolve(), after)

    def remove(self, after: bytes | None) -> None:
        """Put back what was there."""
        if after is None:
            self.path.unlink(missing_ok=True)
        else:
            _replace(self.path.resolve(), after)
        self._keep.unlink(missing_ok=True)


def _digest(text: bytes | None) -> str:
    return hashlib.sha256(text or b"").hexdigest()


def _replace(path: Path, text: bytes) -> None:
    """Write a file at once or not at all; it keeps its rights, a link is replaced."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    regular = path.exists() and not path.is_symlink()
    mode = path.stat().st_mode & 0o777 if regular else 0o600
    try:
        with open(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb"
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
