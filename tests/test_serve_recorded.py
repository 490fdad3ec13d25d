"""What real programs sent once, in tests/data/intake: counts and sums are the script's.

A scripted model stood behind each of them; what it answered is known, and written here.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from .agents import rows
from .conftest import Connection
from .serving import JSON, PROTOBUF, Serving

DATA = Path(__file__).parent / "data/intake"
Call = tuple[str, bool, str | None]


class Truth:
    """What a script did: its calls by id, and tokens of each of its requests."""

    def __init__(self, calls: dict[str, Call], requests: int, **tokens: int) -> None:
        self.calls = calls
        self.requests = requests
        self.tokens = tokens


GOOD, BAD, UNKNOWN = "good", "invalid_args", "unknown"
TRUTHS = {
    # Its unknown tool and its bad arguments come by hooks alone.
    "claude-code-2.1.332": Truth(
        {
            "toolu_01": ("Bash", True, None),
            "toolu_02": ("Read", False, None),
            "toolu_05": ("Agent", True, None),
            "toolu_sub1": ("Bash", True, None),
        },
        7,
        input=120,
        cached=800,
        output=30,
    ),
    "codex-0.171.0": Truth(
        {
            "call_1": ("exec_command", True, None),
            # Exit status 3, which Codex calls a success.
            "call_2": ("exec_command", True, None),
            "call_3": ("no_such_tool", False, UNKNOWN),
            "call_4": ("exec_command", False, BAD),
        },
        5,
        input=60,
        cached=40,
        output=7,
        reasoning=2,
    ),
    "gemini-cli-0.61.0": Truth(
        {
            "list_directory__fc1": ("list_directory", True, None),
            "read_file__fc2": ("read_file", False, None),
            "no_such_tool__fc3": ("no_such_tool", False, UNKNOWN),
            "read_file__fc4": ("read_file", False, BAD),
        },
        3,
        input=60,
        cached=40,
        output=9,
        reasoning=2,
    ),
    "vercel-ai-7.0.173": Truth(
        {
            "c1": ("add", True, None),
            "c2": ("add", False, BAD),
            "c3": ("nothing", False, UNKNOWN),
            "c4": ("add", False, None),
        },
        7,
        input=60,
        cached=40,
        output=7,
    ),
    # Of generateText it tells no cached input: not even that there is none.
    "vercel-ai-5.0.277": Truth(
        {
            "c1": ("add", True, None),
            "c2": ("add", False, BAD),
            "c3": ("nothing", False, UNKNOWN),
            "c4": ("add", False, None),
        },
        7,
    ),
}


def requests(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DATA / f"{name}.json").read_text())[
        "requests"
    ]
    return found


def calls(db: Connection) -> dict[str, Call]:
    """Return the calls that were recorded, each of which has an id of its own."""
    found = rows(
        db,
        "select l.call_id, l.tool, l.ok, f.fault from agentdb.tool_call_log as l"
        " left join agentdb.tool_fault as f using (tool_call_log_id)",
    )
    assert len({each["call_id"] for each in found}) == len(found)
    return {
        each["call_id"]: (each["tool"], each["ok"], each["fault"]) for each in found
    }


def tokens(db: Connection) -> Counter[tuple[Any, ...]]:
    return Counter(
        tuple(each.values())
        for each in rows(
            db,
            "select input_tokens, cached_input_tokens, output_tokens, reasoning_tokens"
            " from agentdb.token_log",
        )
    )


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("kind", (JSON, PROTOBUF))
@pytest.mark.parametrize("backwards", (False, True))
def test_recorded_once_as_the_script_did_it(
    db: Connection, serve: Serving, name: str, kind: str, backwards: bool
) -> None:
    """Also when requests come twice, and in the other order."""
    truth = TRUTHS[name]
    sent = requests(name)[:: -1 if backwards else 1]
    for each in [*sent, *sent]:
        answer = serve.send(each["body"], each["path"], kind=kind, pack=kind == JSON)
        assert answer.status_code == 200, answer.text
        assert answer.content == (b"{}" if kind == JSON else b"")
    assert calls(db) == truth.calls
    found = tokens(db)
    assert sum(found.values()) == truth.requests
    if truth.tokens:
        one = tuple(
            truth.tokens.get(each, 0)
            for each in ("input", "cached", "output", "reasoning")
        )
        assert found == {one: truth.requests}
    assert not rows(db, "select * from agentdb.intake_problems")


def test_subagent_is_a_run_below_its_session(db: Connection, serve: Serving) -> None:
    for each in requests("claude-code-2.1.332"):
        assert serve.send(each["body"], each["path"]).status_code == 200
    found = rows(
        db,
        "select (select count(*) from agentdb.tool_call_log as l"
        "  where l.run_id = r.run_id) as calls,"
        " (select count(*) from agentdb.token_log as l"
        "  where l.run_id = r.run_id) as requests, r.parent_run_id is null as main"
        " from agentdb.run as r order by r.parent_run_id nulls first",
    )
    assert found == [
        {"calls": 3, "requests": 5, "main": True},
        {"calls": 1, "requests": 2, "main": False},
    ]


def test_arguments_and_errors_are_kept(db: Connection, serve: Serving) -> None:
    for each in requests("claude-code-2.1.332"):
        serve.send(each["body"], each["path"])
    (found,) = rows(
        db,
        "select args, error, recorded_by from agentdb.tool_call_log"
        " where call_id = 'toolu_02'",
    )
    assert found["args"] == {"file_path": "/nonexistent/file"}
    assert found["error"].startswith("File does not exist.")
    assert found["recorded_by"] == "otlp"


def test_field_that_vanished_is_reported(db: Connection, serve: Serving) -> None:
    (first, *_) = requests("codex-0.171.0")[-1:]
    shown = json.dumps(first["body"]).replace('"call_id"', '"call_identifier"')
    assert serve.post(first["path"], shown.encode()).status_code == 200
    # Written down within a second.
    found = until(db, "select reason, sample, count from agentdb.intake_problems")
    assert found[0]["reason"] == "field_vanished"
    assert found[0]["sample"].startswith("call_id of ")


def until(db: Connection, question: str) -> list[dict[str, Any]]:
    """Ask until there is an answer."""
    import time

    end = time.monotonic() + 30
    while not (found := rows(db, question)):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found
