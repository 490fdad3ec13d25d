"""Claude Code itself, with a scripted model: what is recorded is what the script did."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ..agents import Row, evaluate, row, rows, value
from .conftest import Workplace
from .model import Model, Turn

Program = Callable[[str], str]
Models = Callable[[Mapping[str, list[Turn]]], Model]
TELEMETRY = {
    "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
    "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_LOG_TOOL_DETAILS": "1",
    "OTEL_METRIC_EXPORT_INTERVAL": "500",
    "OTEL_LOGS_EXPORT_INTERVAL": "300",
    "OTEL_BSP_SCHEDULE_DELAY": "300",
}
TOKENS = """
select coalesce(sum(input_tokens), 0)::int as input,
  coalesce(sum(cached_input_tokens), 0)::int as cached,
  coalesce(sum(output_tokens), 0)::int as output, count(*)::int as answers
from agentdb.token_log as t join agentdb.run as r on r.run_id = t.run_id
where (r.parent_run_id is null) = %s
"""
CALLS = """
select c.tool, c.ok, f.fault
from agentdb.tool_call_log as c
left join agentdb.tool_fault as f
  on (f.run_id, f.tool_call_log_id) = (c.run_id, c.tool_call_log_id)
join agentdb.run as r on r.run_id = c.run_id
where (r.parent_run_id is null) = %s
order by c.tool_call_log_id
"""


def work(workplace: Workplace, program: Program, model: Model) -> Row:
    """Let Claude Code do the work; return what it says of it."""
    workplace.variables |= {
        "ANTHROPIC_BASE_URL": model.url,
        "ANTHROPIC_API_KEY": "sk-ant-x",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    allowed = ["--allowedTools", "Read", "Bash", "Agent", "Write"]
    claude = [program("claude"), "-p", "Do the work", "--output-format", "json"]
    done = workplace.run(*claude, *allowed)
    assert done.returncode == 0, done.stdout + done.stderr
    # With a subagent there are several results.
    return dict(json.loads(done.stdout.splitlines()[-1]))


def billed(turns: list[Turn]) -> Row:
    """Return what the answers of a script add up to."""
    return {
        "input": sum(t.input + t.written for t in turns),
        "cached": sum(t.cached for t in turns),
        "output": sum(t.output for t in turns),
        "answers": len(turns),
    }


def script(folder: Path) -> list[Turn]:
    """Return work with a call of each kind."""
    there = str(folder / "a.txt")
    Path(there).write_text("hello\n")
    return [
        Turn(
            "r", [("Read", {"file_path": there})], 100, cached=820, written=5, output=11
        ),
        Turn(
            "bad",
            [
                ("Bash", {"command": "exit 3"}),
                ("Nope", {"x": 1}),
                ("Read", {"path": "wrong"}),
            ],
            200,
            output=12,
        ),
        Turn(
            "w", [("Write", {"file_path": f"{there}2", "content": "x"})], 300, output=13
        ),
        Turn("done", (), 500, output=15, refusals=[529]),
    ]


MADE = [
    {"tool": "Bash", "ok": False, "fault": None},
    {"tool": "Nope", "ok": False, "fault": "unknown"},
    {"tool": "Read", "ok": False, "fault": "invalid_args"},
    {"tool": "Read", "ok": True, "fault": None},
]


def by_name(found: list[Row]) -> list[Row]:
    return sorted(
        found, key=lambda each: (each["tool"], each["ok"], str(each["fault"]))
    )


def test_hooks_record_what_was_done_and_deny(
    workplace: Workplace, program: Program, model: Models
) -> None:
    workplace.db.execute("update agentdb.policy set denied_tools = '{Write}'")
    workplace.install("claude")
    turns = script(workplace.folder)
    work(workplace, program, model({"Do the work": turns}))
    denied = {"tool": "Write", "ok": False, "fault": None}
    assert by_name(rows(workplace.db, CALLS, True)) == [*MADE, denied]
    errors = "select error from agentdb.tool_call_log where tool = 'Write'"
    assert "not allowed here" in value(workplace.db, errors)
    assert row(workplace.db, TOKENS, True) == billed(turns)
    assert not (workplace.folder / "a.txt2").exists()
    [run] = rows(workplace.db, "select outcome, parent_run_id from agentdb.run")
    assert run == {"outcome": "succeeded", "parent_run_id": None}


def test_one_call_is_one_call_by_hook_transcript_span_and_log(
    workplace: Workplace, program: Program, model: Models
) -> None:
    workplace.install("claude")
    headers = f"x-agentdb-token={workplace.token}"
    workplace.variables |= TELEMETRY | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": workplace.url,
        "OTEL_EXPORTER_OTLP_HEADERS": headers,
    }
    turns = [turn for turn in script(workplace.folder) if turn.text != "w"]
    work(workplace, program, model({"Do the work": turns}))
    assert by_name(rows(workplace.db, CALLS, True)) == MADE
    assert row(workplace.db, TOKENS, True) == billed(turns)
    assert rows(workplace.db, "select * from agentdb.intake_problems") == []


def test_subagent_is_a_run_of_its_own(
    workplace: Workplace, program: Program, model: Models
) -> None:
    workplace.install("claude")
    given = {"description": "d", "prompt": "Subordinate: count"}
    asked = {**given, "subagent_type": "general-purpose", "run_in_background": False}
    turns = [Turn("sub", [("Agent", asked)], 400, output=14), Turn("done", (), 50)]
    below = [
        Turn("s", [("Bash", {"command": "echo sub"})], 40, output=4),
        Turn("n", (), 7),
    ]
    scripts = {"Do the work": turns, "Subordinate: count": below}
    chosen = model(scripts)
    work(workplace, program, chosen)
    # It may be told the result as another prompt, which is another answer.
    main = [scripts[s][min(n, 1)] for s, n, _ in chosen.billed if s == "Do the work"]
    assert row(workplace.db, TOKENS, True) == billed(main)
    assert row(workplace.db, TOKENS, False) == billed(below)
    [called] = rows(workplace.db, CALLS, False)
    assert called == {"tool": "Bash", "ok": True, "fault": None}


def test_killed_session_calls_no_further_tool(
    workplace: Workplace, program: Program, model: Models
) -> None:
    workplace.install("claude")
    started, after = workplace.folder / "started", workplace.folder / "after"
    turns = [
        Turn("1", [("Bash", {"command": f"touch {started}; sleep 2"})]),
        Turn("2", [("Bash", {"command": f"touch {after}"})]),
        Turn("done"),
    ]

    def kill() -> None:
        while not started.exists():
            time.sleep(0.02)
        run = value(workplace.db, "select run_id from agentdb.run")
        workplace.db.execute("select agentdb.kill_run(%s, 'wrong branch')", [run])

    killer = threading.Thread(target=kill)
    killer.start()
    chosen = model({"Do the work": turns})
    work(workplace, program, chosen)
    killer.join()
    # Its turn is over, too: the model is not asked what to do instead.
    assert [number for _, number, _ in chosen.billed] == [0, 1]
    assert not after.exists()
    # What a killed run does is recorded all the same: it is evidence.
    assert [c["ok"] for c in rows(workplace.db, CALLS, True)] == [True, False]


def advised_while(workplace: Workplace, started: Path, go_on: Path) -> threading.Thread:
    """Have the run use most of its budget, once it has started; then let it go on."""

    def spend() -> None:
        while not started.exists():
            time.sleep(0.02)
        workplace.db.execute(
            "update agentdb.policy set run_budget_tokens = 400000;"
            " insert into agentdb.token_log (run_id, agent_id, input_tokens,"
            " output_tokens, cached_input_tokens, reasoning_tokens)"
            " select run_id, agent_id, 330000, 0, 0, 0 from agentdb.run"
        )
        evaluate(workplace.db)
        go_on.touch()

    thread = threading.Thread(target=spend)
    thread.start()
    return thread


def told(model: Model) -> int:
    """Return how often the last prompt has the advice."""
    return json.dumps(model.asked[-1]).count(
        "agentdb: The budget of this run is running"
    )


def test_advice_is_in_the_next_prompt(
    workplace: Workplace, program: Program, model: Models
) -> None:
    workplace.install("claude")
    started, go_on = workplace.folder / "started", workplace.folder / "go"
    waits = f"touch {started}; while [ ! -e {go_on} ]; do sleep 0.05; done"
    turns = [
        Turn(str(nth), [("Bash", {"command": each})])
        for nth, each in enumerate((waits, "echo 1", "echo 2"))
    ]
    spender = advised_while(workplace, started, go_on)
    chosen = model({"Do the work": [*turns, Turn("done")]})
    work(workplace, program, chosen)
    spender.join()
    assert told(chosen) == 1


def test_without_a_server_the_agent_goes_on(
    workplace: Workplace, program: Program, model: Models
) -> None:
    workplace.install("claude")
    workplace.url = "http://127.0.0.1:9"
    settings = workplace.home / ".claude" / "settings.json"
    where = subprocess.run(
        ["grep", "-o", "http://127.0.0.1:[0-9]*", settings],
        capture_output=True,
        text=True,
    ).stdout.split()[0]
    settings.write_text(settings.read_text().replace(where, workplace.url))
    said = work(workplace, program, model({"Do the work": script(workplace.folder)}))
    assert said["result"] == "done"
    assert (workplace.folder / "a.txt2").exists()
    assert rows(workplace.db, "select * from agentdb.run") == []
