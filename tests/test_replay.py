"""Recorded runs of real agents, replayed: what is in the logs is what happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from agentdb.demo import airline
from agentdb.demo.demo import recordings
from agentdb.demo.recording import Event, Recording, lines, read
from agentdb.demo.replay import replay

from .agents import labels, register, row, rows
from .conftest import Connection

DATA = Path(__file__).parent / "data"
WRITTEN = {
    "users": "select user_id as pk, to_jsonb(t) as row from airline.users as t",
    "reservations": "select reservation_id as pk, to_jsonb(t) as row "
    "from airline.reservations as t",
}


@pytest.fixture
def agent(db: Connection) -> Connection:
    """A superuser's session, to be used as the agent's own by `as_agent`."""
    register(db, "airline")
    airline.create(db, DATA / "airline", "agent_a")
    return db


@contextmanager
def as_agent(connection: Connection) -> Iterator[Connection]:
    """Let the agent speak in this session, and look as superuser afterwards."""
    connection.execute("set session authorization agent_a")
    yield connection
    connection.execute("reset session authorization")


def contents(db: Connection, table: str) -> dict[str, Any]:
    found = db.execute(WRITTEN[table].encode()).fetchall()
    return dict(found)


def told(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event["kind"] == kind]


def expected_rows(events: list[Event]) -> set[tuple[str, str]]:
    return {
        (write["table"], write["pk"])
        for event in told(events, "tool_call")
        for write in event.get("writes", ())
    }


def compare(db: Connection, run: int, events: list[Event]) -> None:
    """Compare the logs of a run with its recording."""
    calls, tokens = told(events, "tool_call"), told(events, "tokens")
    found = rows(
        db,
        "select tool, ok, error, args, result_size from agentdb.tool_call_log "
        "where run_id = %s order by tool_call_log_id",
        run,
    )
    assert found == [
        {
            "tool": call["tool"],
            "ok": call["ok"],
            "error": call.get("error"),
            "args": call["args"],
            "result_size": call.get("result_chars"),
        }
        for call in calls
    ]
    used = rows(
        db,
        "select count(*), coalesce(sum(input_tokens), 0)::int as input, "
        "coalesce(sum(output_tokens), 0)::int as output "
        "from agentdb.token_log where run_id = %s",
        run,
    )
    assert used == [
        {
            "count": len(tokens),
            "input": sum(each["input"] for each in tokens),
            "output": sum(each["output"] for each in tokens),
        }
    ]


def test_every_run_leaves_what_it_did_and_nothing_else(agent: Connection) -> None:
    """All 100 customer service runs, each from the same start, as recorded."""
    start = {table: contents(agent, table) for table in WRITTEN}
    recorded = read(DATA / "airline" / "events.jsonl")
    truth = {row["run"]: row for row in lines(DATA / "airline" / "truth.jsonl")}
    assert len(recorded) == len(truth) == 100
    for name, events in recorded.items():
        with agent.transaction(force_rollback=True):
            with as_agent(agent):
                run = replay(agent, name, events)
            compare(agent, run, events)
            end = {table: contents(agent, table) for table in WRITTEN}
        changed = {
            (table, pk)
            for table, before in start.items()
            for pk in before.keys() | end[table].keys()
            if before.get(pk) != end[table].get(pk)
        }
        # A write that sets what was there already is one, and changes nothing.
        assert changed <= expected_rows(events)
        assert expected_rows(events) == {
            tuple(row) for row in truth[name]["rows_written"]
        }


@pytest.mark.parametrize("actor", ["airline", "coding"])
def test_totals_add_up_to_the_recording(agent: Connection, actor: str) -> None:
    recorded = packaged(actor)
    with as_agent(agent):
        runs = {name: replay(agent, name, events) for name, events in recorded.items()}
    agent.execute("select agentdb.roll_up()")
    for name, events in recorded.items():
        calls, tokens = told(events, "tool_call"), told(events, "tokens")
        found = row(
            agent, "select * from agentdb.run_summary where run_id = %s", runs[name]
        )
        assert found["conversation"] == name
        assert found["tool_calls"] == len(calls)
        assert found["tool_errors"] == sum(not call["ok"] for call in calls)
        assert found["input_tokens"] == sum(each["input"] for each in tokens)
        assert found["output_tokens"] == sum(each["output"] for each in tokens)


def packaged(agent: str) -> Recording:
    """The part of the recordings that the package brings, without its writes.

    Its runs began from the same rows, each alone: written one after another
    they would insert the same reservation twice.
    """
    return {
        name: [{k: v for k, v in event.items() if k != "writes"} for event in events]
        for name, events in recordings()[agent].items()
    }


def test_coding_run_passes_half_a_million_tokens(agent: Connection) -> None:
    events = read(DATA / "coding" / "events.jsonl")["coding-ponyc-4595"]
    tokens = told(events, "tokens")
    sums = list(accumulate(each["input"] + each["output"] for each in tokens))
    last_within = sum(total <= 500_000 for total in sums)
    assert 0 < last_within < len(tokens)
    with as_agent(agent):
        replay(agent, "before", tokens[:last_within])
    assert labels(agent, "conversation_budget") == []
    with as_agent(agent):
        replay(agent, "after", tokens[: last_within + 1])
    (only,) = labels(agent, "conversation_budget")
    assert only["conversation"] == "after"


def test_packaged_recordings_are_part_of_the_full_ones() -> None:
    for name, recorded in recordings().items():
        full = read(DATA / name / "events.jsonl")
        assert recorded
        for run, events in recorded.items():
            kinds = [(event["kind"], event["t"]) for event in events]
            assert kinds == [(event["kind"], event["t"]) for event in full[run]]
