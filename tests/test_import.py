"""`agentdb import`: files of the past become runs of the past, and rules are asked."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from agentdb.cli import main

from .agents import evaluate, register, row, rows, value
from .serving import called, traces
from .test_transcript import DATA, SCRIPTS

if TYPE_CHECKING:
    from .conftest import Connection

TOKENS = """
select sum(input_tokens)::int as input, sum(cached_input_tokens)::int as cached,
  sum(output_tokens)::int as output
from agentdb.token_log
"""


@pytest.fixture
def past(db: Connection) -> Connection:
    """A database that keeps what is old."""
    db.execute("update agentdb.policy set log_retention = '100 years'")
    return db


def run(db: Connection, *arguments: str) -> Result:
    """Run the command on a database."""
    return CliRunner().invoke(main, ["import", "--dsn", db.info.dsn, *arguments])


@pytest.mark.parametrize("name", SCRIPTS)
def test_file_becomes_a_run_once(past: Connection, name: str) -> None:
    made, used = SCRIPTS[name]
    for _ in range(2):
        done = run(past, str(DATA / name))
        assert done.exit_code == 0, done.output
        found = row(past, TOKENS)
        assert (found["input"], found["cached"], found["output"]) == used
        assert value(past, "select count(*) from agentdb.tool_call_log") == made.total()
        # A thread is below the run of its conversation.
        runs = 2 if "subagent" in name else 1
        assert value(past, "select count(*) from agentdb.run") == runs
    assert "repeated" in done.output
    unknown = sum(n for (_, how), n in made.items() if how == "unknown")
    faults = "select count(*) from agentdb.tool_fault where fault = 'unknown'"
    assert value(past, faults) == unknown


def test_run_has_the_time_of_its_file(past: Connection) -> None:
    assert run(past, str(DATA / "claude-code.jsonl")).exit_code == 0
    lines = (DATA / "claude-code.jsonl").read_text().splitlines()
    times = [json.loads(line).get("timestamp") for line in lines]
    moments = [datetime.fromisoformat(t.replace("Z", "+00:00")) for t in times if t]
    found = row(past, "select started_at, ended_at, opened_by from agentdb.run")
    assert min(moments) <= found["started_at"] < found["ended_at"] <= max(moments)
    assert found["opened_by"] == "import"
    logged = row(
        past, "select min(recorded_at), max(recorded_at) from agentdb.token_log"
    )
    assert found["started_at"] <= logged["min"] <= logged["max"] <= found["ended_at"]


def test_folder_with_a_subagent_is_two_runs(past: Connection, tmp_path: Path) -> None:
    inner = tmp_path / "subagents"
    inner.mkdir()
    (tmp_path / "a.jsonl").write_bytes((DATA / "claude-code.jsonl").read_bytes())
    below = (DATA / "claude-code-subagent.jsonl").read_bytes()
    (inner / "b.jsonl").write_bytes(below)
    assert run(past, str(tmp_path)).exit_code == 0
    found = rows(past, "select run_id, parent_run_id from agentdb.run order by run_id")
    parents = [each["parent_run_id"] for each in found]
    assert sorted(parents, key=str) == [found[parents.index(None)]["run_id"], None]


def stuck(calls: int) -> Iterator[dict[str, Any]]:
    """Give a session of Claude Code that reads one file again and again."""
    begin = datetime.now(timezone.utc) - timedelta(days=2)
    base = {"sessionId": "stuck", "version": "2.1.332"}
    for number in range(calls):
        at = (begin + timedelta(seconds=20 * number)).isoformat()
        use = {"type": "tool_use", "id": f"t{number}", "name": "Read"}
        message = {
            "id": f"m{number}",
            "model": "m",
            "content": [{**use, "input": {"file_path": "/etc/motd"}}],
            "usage": {"input_tokens": 100, "output_tokens": 5},
        }
        yield {**base, "type": "assistant", "timestamp": at, "message": message}
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": "x"}
        said = {**base, "type": "user", "timestamp": at}
        yield {**said, "message": {"content": [result]}}


def test_loop_of_the_past_is_seen(past: Connection, tmp_path: Path) -> None:
    file = tmp_path / "stuck.jsonl"
    file.write_text("\n".join(map(json.dumps, stuck(60))))
    done = run(past, str(file))
    assert done.exit_code == 0, done.output
    assert "silent_loop" in done.output
    healthy = run(past, str(DATA / "claude-code.jsonl"))
    assert "silent_loop" not in healthy.output
    assert "unknown_tool" in healthy.output
    # Nobody is alerted to the past.
    evaluate(past)
    assert rows(past, "select * from agentdb.alert") == []


@pytest.mark.parametrize("shape", ["lines", "one", "list"])
def test_requests_of_otlp_are_read_as_they_were_sent(
    past: Connection, tmp_path: Path, shape: str
) -> None:
    spans = [called(n, ("add", "sub")[n % 2], duration=1) for n in range(1, 7)]
    requests = [traces(*spans[:3]), traces(*spans[3:])]
    file = tmp_path / "traces.json"
    if shape == "lines":
        file.write_text("\n".join(map(json.dumps, requests)))
    elif shape == "list":
        file.write_text(json.dumps(requests, indent=1))
    else:
        file.write_text(json.dumps(traces(*spans), indent=1))
    for _ in range(2):
        assert run(past, str(file)).exit_code == 0
        found = rows(
            past, "select tool, count(*) from agentdb.tool_call_log group by 1"
        )
        assert sorted(found, key=str) == [
            {"tool": "add", "count": 3},
            {"tool": "sub", "count": 3},
        ]


def test_name_of_the_present_is_refused(past: Connection) -> None:
    register(past, "coder")
    done = run(past, "--agent", "coder", str(DATA / "codex.jsonl"))
    assert done.exit_code == 1
    assert "coder is of the present" in done.output
    assert "coder-past" in done.output
    assert rows(past, "select * from agentdb.run") == []


def test_what_is_no_transcript_is_named(past: Connection, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("{}")
    done = run(past, str(file))
    assert done.exit_code == 1
    assert "x.json is none of what can be read" in done.output


def test_folder_may_have_other_files(past: Connection, tmp_path: Path) -> None:
    whole = (DATA / "claude-code.jsonl").read_bytes()
    (tmp_path / "b.jsonl").write_bytes(whole)
    (tmp_path / "a.jsonl").write_bytes(b"")
    (tmp_path / "sessions-index.json").write_text('{"version": 1, "entries": []}')
    (tmp_path / "z.jsonl.gz").write_bytes(gzip.compress(whole)[:100])
    done = run(past, str(tmp_path))
    assert done.exit_code == 0, done.output
    assert value(past, "select count(*) from agentdb.run") == 1
    assert done.output.count("left out: ") == 3
    alone = run(past, str(tmp_path / "z.jsonl.gz"))
    assert alone.exit_code == 1 and "does not unpack" in alone.output


def test_packed_line_without_end_is_refused(past: Connection, tmp_path: Path) -> None:
    with gzip.open(path := tmp_path / "bomb.jsonl.gz", "wb", 1) as file:
        for _ in range(300):
            file.write(b" " * (1 << 20))
    done = run(past, str(path))
    assert done.exit_code == 1 and "has a line of more than" in done.output


def test_it_needs_no_database(tmp_path: Path) -> None:
    file = tmp_path / "stuck.jsonl"
    file.write_text("\n".join(map(json.dumps, stuck(60))))
    done = CliRunner().invoke(main, ["import", "--local", str(file)])
    assert done.exit_code == 0, done.output
    assert "silent_loop" in done.output
