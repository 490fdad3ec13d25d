"""No text of ours would install the distribution of that name that is a stranger's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Put together here, so that this file passes its own test.
NAME = "agent" + "db"
REQUIREMENT = re.compile(rf"{NAME}(\[.*)?([=<>~!@;].*)?", re.I)
INSTALLER = re.compile(
    r"\b(pip[\d.]*|pipx|uvx?|poetry|pdm|rye|hatch|conda|mamba|easy_install)\b([^\n;|&`]*)"
)
ADDING = {"install", "add", "inject", "download", "wheel", "upgrade"}
SOURCES = {"--from", "--spec", "--with"}
ELSEWHERE = (
    # A requirement in a list, a lock file or a line of code.
    re.compile(rf"(?<![\w./-]){NAME}\s*\[\s*[a-z]", re.I),
    re.compile(rf"(?<![\w./-]){NAME}\s*(===?|~=|[<>!]=|[<>])\s*\d", re.I),
    re.compile(rf"(?<![\w./-]){NAME} @ ", re.I),
    # As Poetry, a pyproject and the index write it.
    re.compile(rf"^\s*[\"']?{NAME}[\"']?\s*=\s*(\{{|[\"'][\d^~<>=*])", re.I | re.M),
    re.compile(rf"^\s*name\s*=\s*[\"']{NAME}[\"']", re.I | re.M),
    re.compile(rf"dependencies\s*=\s*\[[^\]]*[\"']{NAME}[\"']", re.I),
    re.compile(rf"pypi\.org/(project|simple)/{NAME}\b(?![-_])", re.I),
)
IN_A_LIST = re.compile(rf"^\s*{NAME}\s*(#.*)?$", re.I | re.M)


def strangers(text: str, file: str = "") -> list[str]:
    """Return what in a text would fetch the other distribution."""
    whole = text.replace("\\\n", " ")
    found = [
        match[0] for match in INSTALLER.finditer(whole) if _fetches(*match.groups())
    ]
    found += [m[0] for pattern in ELSEWHERE for m in pattern.finditer(whole)]
    if "requirements" in file or "constraints" in file:
        found += [match[0] for match in IN_A_LIST.finditer(whole)]
    return found


def _fetches(tool: str, rest: str) -> bool:
    """Whether a command of an installer names the distribution."""
    words = [word for word in re.split(r"[\s\"'()]+|,(?=\s)", rest) if word]
    named = _named(tool, words)
    return any(REQUIREMENT.fullmatch(word.strip(",.")) for word in named)


def _named(tool: str, words: list[str]) -> list[str]:
    """Return the words of a command that name what is fetched."""
    if tool == "uvx" or words[:2] == ["tool", "run"] or words[:1] == ["run"]:
        sources = [b for a, b in pairwise(words) if a in SOURCES]
        in_project = tool == "uv" and words[:1] == ["run"]
        return sources or ([] if in_project else words)
    verbs = [place for place, word in enumerate(words) if word in ADDING]
    return words[verbs[0] + 1 :] if verbs else []


def texts() -> Iterator[Path]:
    """Yield every file of the checkout that a reader or a tool may take text from."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(p.startswith(".") and p not in (".ci", ".github") for p in parts)
        made = parts[0] == "dist" or "__pycache__" in parts or "data" in parts
        if path.is_file() and not hidden and not made:
            yield path


def test_no_file_installs_the_stranger() -> None:
    found = {str(path.relative_to(ROOT)): _in_file(path) for path in texts()}
    assert "README.md" in found and "docs/install.md" in found
    assert not {file: said for file, said in found.items() if said}


def _in_file(path: Path) -> list[str]:
    try:
        return strangers(path.read_text("utf-8"), path.name)
    except UnicodeDecodeError:
        return []


@pytest.mark.parametrize(
    "line",
    [
        "pip install {}",
        "$ pip3 install -U {}",
        "python -m pip install --upgrade '{}'",
        'pip install "{}[local]"',
        "pip install httpx {}==0.1 rich",
        "pip install --quiet \\\n  {}",
        "RUN pip install --no-cache-dir {} && useradd x",
        "/opt/x/bin/pip install {}",
        "run `pip install {}` first",
        '[sys.executable, "-m", "pip", "install", "{}"]',
        "pip download {}",
        "pip wheel {} -w dist",
        "uv pip install {}",
        "uv add {}",
        "uv add '{}>=0.1'",
        "uv tool install {}",
        "uv run --with {} python",
        "uvx {} status",
        "uvx --from {} x",
        "pipx install {}",
        "pipx run {} status",
        "pipx inject ipython {}",
        "poetry add {}",
        "poetry add {}@latest",
        "conda install -c conda-forge {}",
        "needs {}[local].",
        "{}[apprise]>=1",
        "{}==0.1.0",
        "{}>=0.1,<2",
        "{} @ https://example.org/x.whl",
        'dependencies = ["httpx", "{}"]',
        '{} = "^0.1"',
        '{} = {{ version = "0.1" }}',
        'name = "{}"',
        "https://pypi.org/project/{}/",
    ],
)
def test_line_that_would_fetch_the_stranger_is_caught(line: str) -> None:
    assert strangers(line.format(NAME))
    assert strangers(line.format(NAME.upper())), "an index knows no case"


@pytest.mark.parametrize(
    "line",
    [
        "pip install {}-pg",
        "pip install '{}-pg[local]'",
        "pip install dist/{}_pg-*.whl",
        "pip install dist/{}_pg-0.1.0-py3-none-any.whl",
        "uvx --from {}-pg {} status",
        "pipx run --spec {}-pg {} status",
        "uv run {} status",
        "{} install --sql",
        "{}-pg==0.1",
        "{}_pg[local]",
        "pip install . && {} install",
        "RUN pip install --no-cache-dir . && useradd --no-create-home {}",
        'name = "{}-pg"',
        '{} = "{}.cli:main"',
        "name: {}",
        "import {}",
        "https://pypi.org/project/{}-pg/",
        "select * from {}.alert",
    ],
)
def test_line_that_fetches_ours_or_nothing_is_let_through(line: str) -> None:
    assert not strangers(line.replace("{}", NAME))


@pytest.mark.parametrize("line", ["{}", "{}  # the runner"])
def test_bare_name_in_a_list_of_requirements_is_caught(line: str) -> None:
    assert strangers(line.format(NAME), "requirements-dev.txt")
    assert not strangers(line.format(NAME), "notes.md")
