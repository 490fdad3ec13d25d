"""Folders are layers: a file of sql/ calls its own folder and those before it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SQL = Path(__file__).parent.parent / "sql"
LAYERS = (
    "base", "agent", "activity", "lock", "run", "tool", "token", "audit", "claim",
    "change", "stop", "intake", "alert", "rule", "maintain", "report", "web",
)  # fmt: skip
MADE = re.compile(r"^create (?:or replace )?(?:function|view) agentdb\.(\w+)", re.M)
# What a hint or a comment names is not called.
SAID = re.compile(r"--[^\n]*|=> \$\$(?s:.*?)\$\$|'(?:[^']|'')*'")


def installed() -> dict[str, str]:
    """Return the files of the manifest with their texts, in order."""
    manifest = (SQL / "install.sql").read_text()
    names = re.findall(r"^\\ir (\S+)$", manifest, re.M)
    return {name: (SQL / name).read_text() for name in names}


def calls(files: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield who calls what in which other file."""
    home = {made: name for name, text in files.items() for made in MADE.findall(text)}
    for name, text in files.items():
        for called in set(re.findall(r"agentdb\.(\w+)", SAID.sub("''", text))):
            if (where := home.get(called, name)) != name:
                yield name, called, where


def upward(files: dict[str, str]) -> list[str]:
    """Return the calls of a layer that comes later."""
    return sorted(
        f"{name} calls {called} in {where}"
        for name, called, where in calls(files)
        if name != "grant.sql" and layer(where) > layer(name)
    )


def circles(files: dict[str, str]) -> list[str]:
    """Return the first circle of files within a layer, if there is one."""
    graph: dict[str, set[str]] = {}
    for name, _, where in calls(files):
        if name != "grant.sql" and layer(name) == layer(where):
            graph.setdefault(name, set()).add(where)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def drawing(files: dict[str, str]) -> str:
    """Return the layers and their calls as a Mermaid flowchart.

    A call that a chain of others implies is left out (transitive reduction).
    """
    graph: dict[str, set[str]] = {name: set() for name in LAYERS}
    for name, _, where in calls(files):
        if name != "grant.sql" and layer(name) != layer(where):
            graph[name.split("/")[0]].add(where.split("/")[0])

    def reaches(start: str) -> set[str]:
        return graph[start].union(*map(reaches, graph[start]))

    arrows = [
        f"  {start} --> {end}"
        for start in LAYERS
        for end in LAYERS
        if end in graph[start]
        and not any(end in reaches(other) for other in graph[start] - {end})
    ]
    return "\n".join(["flowchart BT", *arrows]) + "\n"


def layer(name: str) -> int:
    return LAYERS.index(name.split("/")[0])


def test_manifest_lists_the_layers_in_their_order() -> None:
    names = [name for name in installed() if name != "grant.sql"]
    assert list(dict.fromkeys(name.split("/")[0] for name in names)) == list(LAYERS)
    assert list(installed())[-1] == "grant.sql"
    assert {path.name for path in SQL.iterdir()} == {
        *LAYERS, "install.sql", "grant.sql",
    }  # fmt: skip


def test_no_file_calls_a_later_layer() -> None:
    assert upward(installed()) == []


def test_no_layer_goes_in_a_circle() -> None:
    assert circles(installed()) == []


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("select agentdb.kill_run(1);", True),
        ("select from agentdb.silent_loop;", True),
        ("perform agentdb._refuse('select agentdb.kill_run(1)', null);", False),
        ("-- see agentdb.kill_run()", False),
    ],
)
def test_a_call_upward_is_seen(text: str, seen: bool) -> None:
    files = installed()
    files["audit/column.sql"] = text
    assert bool(upward(files)) == seen


def test_architecture_shows_the_real_calls() -> None:
    """Set AGENTDB_WRITE_SCHEMA=1 to draw them anew."""
    page = SQL.parent / "docs" / "architecture.md"
    text = page.read_text()
    drawn = re.sub(
        r"(?<=```mermaid\n).*?(?=```)", drawing(installed()), text, flags=re.S
    )
    if os.environ.get("AGENTDB_WRITE_SCHEMA"):
        page.write_text(drawn)
    assert text == drawn
    for name in LAYERS:
        assert f"| `{name}` |" in text
    for named in re.findall(r"`([a-z_]+/[a-z_]+\.sql)`", text):
        assert (SQL / named).exists(), named


def test_a_circle_is_seen() -> None:
    files = installed()
    files["lock/one.sql"] = (
        "create function agentdb.one() as 'x'; select agentdb.two();"
    )
    files["lock/two.sql"] = (
        "create function agentdb.two() as 'x'; select agentdb.one();"
    )
    assert set(circles(files)) == {"lock/one.sql", "lock/two.sql"}


PYTHON = SQL.parent / "agentdb"


def packages() -> dict[str, set[str]]:
    """Return which packages and modules of agentdb import which others."""
    names = {path.stem if path.is_file() else path.name for path in PYTHON.iterdir()}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for path in PYTHON.rglob("*.py"):
        here = path.relative_to(PYTHON).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            base = ("agentdb", *here)[: -node.level] if node.level else ()
            full = (*base, *(node.module or "").split("."))
            for alias in node.names:
                target = (*filter(None, full), alias.name)
                if target[0] == "agentdb" and target[1] in names - {here[0]}:
                    graph[here[0]].add(target[1])
    return graph


def test_python_packages_import_in_one_direction() -> None:
    graph = packages()
    TopologicalSorter(graph).prepare()
    graph["secret"].add("cli")
    with pytest.raises(CycleError):
        TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        # What an agent's program imports brings no runner, no command, no installer.
        ("client", {"admin", "cli", "runner", "schema", "terminal", "channels"}),
        ("runner", {"cli", "terminal", "demo", "local", "schema"}),
        ("verify", {"runner", "config", "channels"}),
        ("terminal", {"cli", "runner", "admin"}),
        # A hook starts for each event; what is read of an emitter asks nobody.
        ("hook", {"admin", "cli", "client", "runner", "schema", "serve"}),
        ("intake", {"admin", "cli", "client", "hook", "runner", "schema", "serve"}),
        ("serve", {"admin", "cli", "hook", "runner", "schema", "terminal"}),
    ],
)
def test_python_package_stays_below_what_uses_it(
    package: str, forbidden: set[str]
) -> None:
    graph = packages()
    seen, todo = set[str](), [package]
    while todo:
        for name in graph[todo.pop()] - seen:
            seen.add(name)
            todo.append(name)
    assert not seen & forbidden
