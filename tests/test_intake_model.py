"""One call is one call, however it is seen: compared with a script that knows the truth."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from .agents import rows, value
from .test_intake import Event, event, intake, record

if TYPE_CHECKING:
    from .conftest import Connection

__all__ = ["intake"]
SEEDS = range(4 * int(os.environ.get("AGENTDB_FUZZ", "1")))


def call(chance: random.Random, number: int) -> dict[str, Any]:
    """Return what truly happened."""
    failed = chance.random() < 0.3
    return {
        "call_id": f"toolu_{number:016}",
        "tool": chance.choice(["read", "write", "search"]),
        "args": {"n": number},
        "error": f"error {number}" if failed else None,
        "conversation": f"c-{number % 3}",
        "thread": chance.choice([None, "sub"]),
    }


def sights(chance: random.Random, true: dict[str, Any]) -> Iterator[Event]:
    """Yield what emitters tell of a call: at least who called what, and how it ended."""
    where = {name: true[name] for name in ("call_id", "conversation", "thread")}
    what = {"tool": true["tool"], "args": true["args"]}
    end = {"ok": not true["error"], "error": true["error"]}
    ways = [
        [event("begin", **where, **what), event("call", **where, **end)],
        [event("call", **where, **what, **end)],
        # The tool's span says nothing of the error: a span below it does.
        [event("call", **where, **what), event("call", **where, **end)],
        [event("begin", **where, **what), event("call", **where, **what, **end)],
    ]
    for way in chance.sample(ways, chance.randint(1, 3)):
        for place, each in enumerate(way):
            name = f"span {true['call_id']} {ways.index(way)} {place}"
            yield {**each, "ids": [name]} if chance.random() < 0.7 else each


@pytest.mark.parametrize("seed", SEEDS)
def test_calls_are_what_they_were_in_any_order(
    db: Connection, intake: Connection, seed: int
) -> None:
    chance = random.Random(seed)
    truth = [call(chance, number) for number in range(120)]
    told = [sight for true in truth for sight in sights(chance, true)]
    told += chance.sample(told, len(told) // 3)
    chance.shuffle(told)
    while told:
        size = chance.choice([1, 2, 10, 60])
        batch, told = told[:size], told[size:]
        answers = record(intake, *batch)
        assert {answer[1] for answer in answers} <= {"recorded", "repeated"}
        if chance.random() < 0.3:
            record(intake, *batch)
    found = {
        each["call_id"]: each
        for each in rows(
            db,
            "select l.call_id, l.tool, l.args, "
            "l.ok and f.fault is null as ok, coalesce(l.error, f.detail) as error, "
            "r.conversation, r.parent_run_id is not null as below "
            "from agentdb.tool_call_log as l "
            "join agentdb.run as r on r.run_id = l.run_id "
            "left join agentdb.tool_fault as f on f.fault = 'failed' "
            "and (f.run_id, f.tool_call_log_id) = (l.run_id, l.tool_call_log_id)",
        )
    }
    assert value(db, "select count(*) from agentdb.tool_call_log") == len(truth)
    for true in truth:
        seen = found[true["call_id"]]
        assert (seen["tool"], seen["args"]) == (true["tool"], true["args"])
        assert seen["ok"] == (true["error"] is None), (true, seen)
        assert seen["error"] == true["error"]
        assert seen["conversation"] == true["conversation"]
        assert seen["below"] == (true["thread"] is not None)
    assert value(db, "select count(*) from agentdb.run") == 6
    open_calls = "select count(*) from agentdb.tool_call where ended_at is null"
    assert value(db, open_calls) == 0
    assert value(db, "select count(*) from agentdb.tool_call where tool = '?'") == 0
