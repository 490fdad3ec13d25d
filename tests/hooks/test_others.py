"""Codex and Gemini CLI themselves, whose hooks say less than Claude Code's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from ..agents import Row, row, rows, value
from .conftest import Workplace
from .model import Model, Turn
from .test_claude import CALLS, TOKENS, advised_while, billed, by_name, told

Program = Callable[[str], str]
Models = Callable[[Mapping[str, list[Turn]]], Model]
CODEX = """
model = "gpt-5.5"
model_provider = "local"
approval_policy = "never"
sandbox_mode = "danger-full-access"
[model_providers.local]
name = "local"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "KEY"
"""


def codex(workplace: Workplace, program: Program, model: Model) -> None:
    """Let Codex do the work."""
    config = workplace.home / ".codex" / "config.toml"
    config.write_text(CODEX.format(url=model.url))
    workplace.variables["KEY"] = "x"
    # Trust in hooks is asked for in its terminal, which is not here.
    trust = "--dangerously-bypass-hook-trust"
    done = workplace.run(
        program("codex"), "exec", "--skip-git-repo-check", trust, "Do the work"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def gemini(workplace: Workplace, program: Program, model: Model) -> None:
    """Let Gemini CLI do the work."""
    file = workplace.home / ".gemini" / "settings.json"
    auth = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    file.write_text(json.dumps(json.loads(file.read_text()) | auth))
    workplace.variables |= {
        "GEMINI_API_KEY": "x",
        "GOOGLE_GEMINI_BASE_URL": model.url,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    command = [program("gemini"), "-p", "Do the work", "--yolo", "-m", "gemini-2.5-pro"]
    done = workplace.run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


# How each runs a command, reads a file wrongly, and what a command's tool is called by
# its hooks.
KINDS = {
    "codex": (codex, "exec_command", "cmd", ("exec_command", {"cmd": 5}), "Bash"),
    "gemini": (
        gemini,
        "run_shell_command",
        "command",
        ("read_file", {"path": 5}),
        "run_shell_command",
    ),
}


def made(tool: str, *, ok: bool, fault: str | None = None) -> Row:
    return {"tool": tool, "ok": ok, "fault": fault}


@pytest.mark.parametrize("name", KINDS)
def test_hooks_and_transcript_record_what_was_done(
    workplace: Workplace, program: Program, model: Models, name: str
) -> None:
    program(name)
    work, shell, given, wrong, _ = KINDS[name]
    workplace.install(name)
    turns = [
        Turn("one", [(shell, {given: "echo hi"})], 100, cached=50, output=11),
        Turn(
            "bad",
            [(shell, {given: "exit 3"}), ("nope", {"x": 1}), wrong],
            200,
            output=12,
        ),
        Turn("done", (), 400, output=14),
    ]
    work(workplace, program, model({"Do the work": turns}))
    found = by_name(rows(workplace.db, CALLS, True))
    # Whoever is first says the name: a hook, or the transcript.
    for each in found:
        each["tool"] = shell if each["tool"] == "Bash" else each["tool"]
    assert found == by_name(
        [
            made(shell, ok=True),
            made(shell, ok=False),
            made("nope", ok=False, fault="unknown"),
            made(wrong[0], ok=False, fault="invalid_args"),
        ]
    )
    assert row(workplace.db, TOKENS, True) == billed(turns)
    assert value(workplace.db, "select outcome from agentdb.run") == "succeeded"


@pytest.mark.parametrize("name", KINDS)
def test_denied_call_is_not_made(
    workplace: Workplace, program: Program, model: Models, name: str
) -> None:
    program(name)
    work, shell, given, _, called = KINDS[name]
    workplace.db.execute("update agentdb.policy set denied_tools = %s", [[called]])
    workplace.install(name)
    turns = [Turn("one", [(shell, {given: "touch there"})], 100), Turn("done", (), 400)]
    work(workplace, program, model({"Do the work": turns}))
    assert not (workplace.folder / "there").exists()
    [call] = rows(workplace.db, "select ok, error from agentdb.tool_call_log")
    assert call["ok"] is False
    assert "not allowed here" in call["error"]


@pytest.mark.parametrize("name", KINDS)
def test_advice_is_in_the_next_prompt(
    workplace: Workplace, program: Program, model: Models, name: str
) -> None:
    program(name)
    work, tool, argument, _, _ = KINDS[name]
    workplace.install(name)
    started, go_on = workplace.folder / "started", workplace.folder / "go"
    waits = f"touch {started}; while [ ! -e {go_on} ]; do sleep 0.05; done"
    turns = [
        Turn(str(nth), [(tool, {argument: each})])
        for nth, each in enumerate((waits, "echo 1", "echo 2"))
    ]
    spender = advised_while(workplace, started, go_on)
    chosen = model({"Do the work": [*turns, Turn("done")]})
    work(workplace, program, chosen)
    spender.join()
    assert told(chosen) == 1
