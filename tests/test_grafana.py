"""The board for Grafana: every query of it runs, with the rights of a reader."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from .agents import register, rows, start
from .conftest import Connect, Connection
from .ports import free_port
from .scene import Scene, until
from .serving import Serving
from .test_runner_health import page

DEPLOY = Path(__file__).parent.parent / "deploy" / "grafana"
BOARD = json.loads((DEPLOY / "agentdb.json").read_text())
# As Grafana writes them.
MACROS = {
    "$__timeFrom()": "'2000-01-01T00:00:00Z'",
    "$__timeTo()": "'2100-01-01T00:00:00Z'",
}


def targets(key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what each panel, and the annotations, ask."""
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            if key in target:
                yield panel["title"], target
    for each in BOARD["annotations"]["list"]:
        if key in each["target"]:
            yield each["name"], each["target"]


SQL = dict(targets("rawSql"))


@pytest.fixture
def busy(db: Connection, connect: Connect) -> Connection:
    """An auditor's session at a database where each panel has something to show."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    session.execute("select agentdb.log_tokens(100, 10, cost => 0.5, model => 'm')")
    session.execute("select agentdb.acquire_lock('nightly', '1 hour')")
    session.execute("select agentdb.claim_file('/tmp/x')")
    db.execute("select agentdb.roll_up()")
    return connect(db.info.dbname, "auditor_u")


@pytest.mark.parametrize("title", SQL)
def test_query_runs(busy: Connection, title: str) -> None:
    query = SQL[title]["rawSql"]
    for macro, text in MACROS.items():
        query = query.replace(macro, text)
    assert "$" not in query
    found = rows(busy, query)
    if SQL[title]["format"] == "time_series":
        assert found, "nothing to draw"
        assert {*found[0]} == {"time", "metric", "value"}
        assert isinstance(found[0]["time"], datetime)
    if title in ("Agents", "Locks", "Claims that are not verified"):
        assert found


def test_metrics_of_the_board_are_those_of_the_services(
    scene: Scene, serve: Serving
) -> None:
    port = free_port()
    scene.receiver()
    scene.trouble()
    scene.start_configured(f"[health]\naddress = '127.0.0.1:{port}'\n")
    scene.sink.wait()
    until(lambda: page(port, "/healthz")[0] == 200)
    told = page(port, "/metrics")[1] + serve.client.get(serve.url + "/metrics").text
    known = set(re.findall(r"^# TYPE (\w+)", told, re.M))
    labels = set(re.findall(r'[{,](\w+)="', told))
    for _, target in targets("expr"):
        assert set(re.findall(r"agentdb_\w+", target["expr"])) <= known
        by = re.findall(r"by \(([^)]*)\)", target["expr"])
        assert {name.strip() for text in by for name in text.split(",")} <= labels | {
            "status"
        }


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
