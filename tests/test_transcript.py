"""What files of the past tell, against the scripts that they were recorded from."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agentdb.hook.tail import Tail
from agentdb.intake.event import NotThisFormat
from agentdb.intake.read import read

DATA = Path(__file__).parent / "data" / "intake"
Event = dict[str, Any]
# Tool, and how it ended: of the scripts, which were all of one kind.
CODING = Counter(
    {
        ("read", "ok"): 1,
        ("shell", "failed"): 1,
        ("nope", "unknown"): 1,
        ("read", "invalid"): 1,
    }
)
SHELL = {"Bash": "shell", "exec_command": "shell", "run_shell_command": "shell",
         "Read": "read", "read_file": "read", "Nope": "nope"}  # fmt: skip
SCRIPTS: dict[str, tuple[Counter[tuple[str, str]], tuple[int, int, int]]] = {
    "claude-code.jsonl": (
        CODING
        + Counter(
            {("shell", "denied"): 1, ("WebFetch", "denied"): 1, ("Agent", "ok"): 1}
        ),
        (105 + 200 + 300 + 400 + 500 + 500, 820, 11 + 12 + 13 + 14 + 15 + 15),
    ),
    "claude-code-subagent.jsonl": (Counter({("shell", "ok"): 1}), (40 + 50, 0, 4 + 5)),
    "codex.jsonl": (
        CODING
        - Counter([("read", "ok"), ("read", "invalid")])
        + Counter(
            {("shell", "ok"): 1, ("shell", "invalid"): 1, ("shell", "denied"): 1}
        ),
        (100 + 200 + 300 + 400, 50, 11 + 12 + 13 + 14),
    ),
    "gemini-cli.jsonl": (
        CODING + Counter({("shell", "denied"): 1}),
        (100 + 200 + 300 + 400, 50, 11 + 12 + 13 + 14),
    ),
    "langsmith.jsonl": (
        Counter(
            {("look_up", "ok"): 1, ("nope", "unknown"): 1, ("look_up", "failed"): 1}
        ),
        (100 + 200, 50, 11 + 12),
    ),
    "langfuse.jsonl": (
        Counter({("look_up", "ok"): 1, ("look_up", "failed"): 1}),
        (100, 50, 11),
    ),
}


def ended(event: Event) -> tuple[str, str]:
    """Return the tool of a call, and how it ended."""
    if event["kind"] == "denied":
        how = "denied"
    elif event.get("unknown"):
        how = "unknown"
    elif event.get("violation"):
        how = "invalid"
    else:
        how = "ok" if event["ok"] else "failed"
    return SHELL.get(event["tool"], str(event["tool"])), how


def calls(events: list[Event]) -> Counter[tuple[str, str]]:
    """Count the calls, each once."""
    found = {e["call_id"]: ended(e) for e in events if e["kind"] in ("call", "denied")}
    return Counter(found.values())


def tokens(events: list[Event]) -> tuple[int, int, int]:
    """Add up what answers were billed, each once."""
    used = {e["ids"][0]: e for e in events if e["kind"] == "tokens"}
    return (
        sum(e["input"] for e in used.values()),
        sum(e.get("cached_input", 0) for e in used.values()),
        sum(e["output"] for e in used.values()),
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_file_tells_what_its_script_did(name: str) -> None:
    events = list(read(DATA / name))
    made, used = SCRIPTS[name]
    assert calls(events) == made
    assert tokens(events) == used
    assert all(e["conversation"] and e["at"] for e in events)
    assert sum(e["kind"] == "start" for e in events) == 1


@pytest.mark.parametrize("name", SCRIPTS)
def test_packed_or_as_one_list_it_tells_the_same(name: str, tmp_path: Path) -> None:
    text = (DATA / name).read_bytes()
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(text))
    expected = list(read(DATA / name))
    assert list(read(packed)) == expected
    if name.startswith("lang"):
        whole = tmp_path / "export.json"
        objects = [json.loads(line) for line in text.splitlines()]
        whole.write_text(json.dumps({"data": objects}, indent=1))
        assert list(read(whole)) == expected


@pytest.mark.parametrize(
    "name", ["claude-code.jsonl", "codex.jsonl", "gemini-cli.jsonl"]
)
@pytest.mark.parametrize("seed", range(5))
def test_tail_of_a_growing_transcript_misses_nothing(
    name: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    chance, whole = random.Random(seed), (DATA / name).read_bytes()
    file, written, found = tmp_path / "transcript.jsonl", 0, []
    while written < len(whole):
        # Anywhere, also within a line.
        written += chance.randrange(1, 4000)
        file.write_bytes(whole[:written])
        tail = Tail(str(file))
        found += tail.read()
        # An answer that never came keeps nothing: the same is read again.
        if chance.random() < 0.7:
            tail.keep()
    found += Tail(str(file)).read()
    made, used = SCRIPTS[name]
    assert calls(found) == made
    assert tokens(found) == used


def test_older_codex_is_counted_by_its_totals(tmp_path: Path) -> None:
    lines = (DATA / "codex.jsonl").read_text().splitlines()
    older = [line for line in lines if '"token_usage_record"' not in line]
    counts = [line for line in older if '"token_count"' in line]
    file = tmp_path / "rollout.jsonl"
    # The last total is said again, as with every new limit.
    file.write_text("\n".join([*older, counts[-1]]))
    assert tokens(list(read(file))) == SCRIPTS["codex.jsonl"][1]


def test_answer_in_several_lines_counts_as_its_last(tmp_path: Path) -> None:
    lines = (DATA / "claude-code.jsonl").read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if '"msg_0002"' in line)
    # As older versions wrote it: the first block before the answer was complete.
    lines[first] = lines[first].replace('"output_tokens": 12', '"output_tokens": 1')
    file = tmp_path / "session.jsonl"
    file.write_text("\n".join(lines))
    assert tokens(list(read(file))) == SCRIPTS["claude-code.jsonl"][1]


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "hello", '{"a": 1}', "[" * 100_000, "null\n" * 50, "\x00" * 99,
     '{"run_type": 1'],
)  # fmt: skip
def test_other_file_is_none_of_them(text: str, tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text(text)
    with pytest.raises(NotThisFormat, match=r"none of what can be read|is no JSON"):
        list(read(file))


def test_request_of_otlp_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text('{"resourceSpans": 5}')
    with pytest.raises(NotThisFormat, match="resourceSpans is a list"):
        list(read(file))


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("seed", range(30))
def test_broken_values_cost_no_more_than_themselves(
    name: str, seed: int, tmp_path: Path
) -> None:
    chance = random.Random(f"{name}{seed}")
    lines = [json.loads(line) for line in (DATA / name).read_text().splitlines()]
    for line in lines:
        _break(line, chance)
    file = tmp_path / "broken.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    try:
        events = list(read(file))
    except NotThisFormat:
        return
    assert all(isinstance(event["kind"], str) for event in events)


def _break(value: Any, chance: random.Random) -> None:
    """Replace a few values within by others of any type."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, found in list(inner):
        if chance.random() < 0.05:
            value[key] = chance.choice([None, [], {}, "", 5, -1, 1e99, True, [[]], "x"])
        elif isinstance(found, (dict, list)):
            _break(found, chance)
