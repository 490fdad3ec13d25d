"""The rows behind an alert, as a message has them."""

from __future__ import annotations

from typing import Any

import pytest

from agentdb.channels.text import lines

from .scene import Scene, until

ROWS = "select i as row, null::text as nothing, repeat('x', %s) as text from generate_series(1, 3) as i"
SET = "update agentdb.alert_rule set evidence_query = %s where rule_name = 'trouble'"


def message(scene: Scene, query: str | None) -> dict[str, Any]:
    scene.receiver()
    scene.db.execute(SET, [query])
    scene.trouble()
    runner = scene.start()
    until(lambda: scene.sink.received())
    assert runner.stop() == 0
    (request,) = scene.sink.received()
    found: dict[str, Any] = request.payload
    return found


def test_message_has_two_rows_that_show_it(scene: Scene) -> None:
    payload = message(scene, ROWS.replace("%s", "3"))
    assert payload["evidence"] == ["row=1 text=xxx", "row=2 text=xxx"]
    assert "row: row=1 text=xxx" in lines(payload)


def test_row_is_bounded(scene: Scene) -> None:
    payload = message(scene, ROWS.replace("%s", "100000"))
    assert [len(line) for line in payload["evidence"]] == [300, 300]


@pytest.mark.parametrize(
    "query",
    [
        "select * from nowhere",
        "select pg_sleep(60)",
        "insert into public.trouble values ('stolen') returning name",
        "select 1; drop table public.trouble",
        "",
    ],
)
def test_statement_that_shows_nothing_holds_up_no_message(
    scene: Scene, query: str
) -> None:
    assert message(scene, query)["evidence"] == []
    count = "select count(*) from public.trouble"
    assert scene.db.execute(count).fetchone() == (1,)
