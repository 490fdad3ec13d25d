"""`agentdb hook install|remove|check`: what is written, and nothing else."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentdb.cli import main
from agentdb.hook.settings import (
    BY_COMMAND,
    BY_HTTP,
    CODEX,
    EMITTERS,
    GEMINI,
    KEPT,
    TOKEN,
)

FOREIGN = [
    b"{}\n",
    b'{"permissions":{"allow":["Read"]}}',
    b'{\n\t"model": "opus",\n\t"hooks": {\n\t\t"PreToolUse": [{"matcher": "Bash",'
    b' "hooks": [{"type": "command", "command": "mine"}]}]\n\t}\n}\n',
    b'{\r\n    "hooks": {"Stop": []}, "emoji": "\xc3\xa9"\r\n}',
    b"",
]
EVENTS = {"claude": BY_HTTP + BY_COMMAND, "codex": CODEX, "gemini": GEMINI}


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a user with a home and a project of his own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for emitter in EMITTERS.values():
        monkeypatch.delenv(emitter.variable, raising=False)
    monkeypatch.delenv(TOKEN, raising=False)
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    return tmp_path


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, ["hook", *arguments], input=answer)


def files(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def hooks(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_bytes())["hooks"])


@pytest.mark.parametrize("where", ["--user", "--project"])
@pytest.mark.parametrize("emitter", EMITTERS)
@pytest.mark.parametrize("before", [None, *FOREIGN])
def test_remove_leaves_what_was_there(
    user: Path, where: str, emitter: str, before: bytes | None
) -> None:
    file = EMITTERS[emitter].path(project=where == "--project")
    if before is not None:
        file.parent.mkdir(parents=True)
        file.write_bytes(before)
    former = files(user)
    for url in ("http://127.0.0.1:4318", "http://127.0.0.1:9", "http://127.0.0.1:9"):
        done = run("install", where, "--for", emitter, "--yes", "--url", url)
        assert done.exit_code == 0, done.output
    assert set(EVENTS[emitter]) <= set(hooks(file))
    done = run("remove", where, "--for", emitter, "--yes")
    assert done.exit_code == 0, done.output
    assert files(user) == former


@pytest.mark.parametrize("before", FOREIGN[1:4])
def test_what_others_changed_since_stays(user: Path, before: bytes) -> None:
    file = EMITTERS["claude"].path(project=False)
    file.parent.mkdir(parents=True)
    file.write_bytes(before)
    assert run("install", "--yes").exit_code == 0
    changed = json.loads(file.read_bytes())
    changed["added"] = 1
    theirs = {"type": "command", "command": "theirs"}
    changed["hooks"]["Stop"].append({"hooks": [theirs]})
    # Another's hook within a group of ours.
    changed["hooks"]["SessionEnd"][0]["hooks"].append(theirs)
    file.write_text(json.dumps(changed))
    assert run("remove", "--yes").exit_code == 0
    expected = json.loads(before)
    expected["added"] = 1
    expected.setdefault("hooks", {}).setdefault("Stop", []).append({"hooks": [theirs]})
    expected["hooks"]["SessionEnd"] = [{"hooks": [theirs]}]
    assert json.loads(file.read_bytes()) == expected


def test_installed_twice_it_is_there_once(user: Path) -> None:
    run("install", "--yes")
    file = EMITTERS["claude"].path(project=False)
    former = file.read_bytes()
    assert "has them already" in run("install", "--yes").output
    assert file.read_bytes() == former
    moved = run("install", "--yes", "--url", "http://127.0.0.1:9")
    assert moved.exit_code == 0
    assert all(len(groups) == 1 for groups in hooks(file).values())
    assert b"4318" not in file.read_bytes()


def test_it_asks_and_shows_first(user: Path) -> None:
    done = run("install")
    assert done.exit_code == 2
    assert '+    "PreToolUse": [' in done.output
    assert files(user) == {}


def test_no_secret_is_written(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "secret-4711")
    for emitter in EMITTERS:
        assert run("install", "--for", emitter, "--yes").exit_code == 0
    assert not any(b"4711" in text for text in files(user).values())


def test_rights_of_the_file_stay(user: Path) -> None:
    file = EMITTERS["claude"].path(project=False)
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    file.chmod(0o640)
    run("install", "--yes")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_link_stays_a_link(user: Path) -> None:
    file = EMITTERS["claude"].path(project=False)
    file.parent.mkdir(parents=True)
    elsewhere = user / "dotfiles.json"
    elsewhere.write_text("{}")
    file.symlink_to(elsewhere)
    run("install", "--yes")
    assert file.is_symlink()
    assert hooks(elsewhere)
    run("remove", "--yes")
    assert file.is_symlink()
    assert elsewhere.read_text() == "{}"


def test_link_of_a_project_writes_no_other_file(user: Path) -> None:
    """A repository may bring any link along, beside its settings."""
    mine = user / "profile"
    mine.write_text("mine")
    file = EMITTERS["claude"].path(project=True)
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    for name in (KEPT, f".{os.getpid()}.new", f"{KEPT}.{os.getpid()}.new"):
        file.with_name(file.name + name).symlink_to(mine)
    assert run("install", "--project", "--yes").exit_code == 0
    assert mine.read_text() == "mine"
    assert run("remove", "--project", "--yes").exit_code == 0
    assert (file.read_text(), mine.read_text()) == ("{}", "mine")
    assert [each.name for each in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("coding", ["utf-16", "utf-8-sig"])
def test_file_in_another_coding(user: Path, coding: str) -> None:
    file = EMITTERS["claude"].path(project=False)
    file.parent.mkdir(parents=True)
    file.write_bytes(before := '{"emoji": "é"}'.encode(coding))
    done = run("install", "--yes")
    assert done.exception is None or isinstance(done.exception, SystemExit)
    run("remove", "--yes")
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("// mine\n{}", "is no JSON"),
        ("[]", "of a shape that is not known"),
        ('{"hooks": []}', "of a shape that is not known"),
        ('{"hooks": {"Stop": {}}}', "of a shape that is not known"),
    ],
)
def test_file_that_is_not_understood_is_left_alone(
    user: Path, text: str, said: str
) -> None:
    file = EMITTERS["claude"].path(project=False)
    file.parent.mkdir(parents=True)
    file.write_text(text)
    for command in ("install", "remove"):
        done = run(command, "--yes")
        assert done.exit_code == 1
        assert said in done.output
        assert str(file) in done.output
    assert file.read_text() == text
    assert len(files(user)) == 1


def test_check_names_what_is_missing(user: Path) -> None:
    done = run("check")
    assert done.exit_code == 1
    assert "lacks hooks of ours for UserPromptSubmit" in done.output
    assert "agentdb hook install --user --for claude" in done.output
    run("install", "--yes", "--url", "http://127.0.0.1:9")
    done = run("check", "--url", "http://127.0.0.1:9")
    assert done.exit_code == 1
    assert "http://127.0.0.1:9 does not answer" in done.output
