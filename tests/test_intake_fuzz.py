"""Whatever an element of a batch is, it costs no other its place in the logs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .agents import value
from .test_intake import event, intake, record

if TYPE_CHECKING:
    from .conftest import Connection

__all__ = ["intake"]
TIMES = int(os.environ.get("AGENTDB_FUZZ", "1"))
DEEP: Any = 0
for _ in range(60):
    DEEP = [DEEP]
TEXTS = [
    "", " ", "\n", "x", "a", "c-1", "\x1b[2J\u009b\u202e\u200b", "\ufffe", "x" * 300,
    "x" * 70_000, "null", "NaN", "infinity", "now", "-1", "1e9", "9" * 400, "true",
    "2026-13-45T99:99:99Z", "2026-11-29T12:00:00+99:99", "4713-01-01 00:00Z BC",
    "2026-11-29T12:00:00.123456789Z", "'; drop table x; --", "{}", '{"a": 1}', "\\", "#2",
]  # fmt: skip
NUMBERS = [0, -0.0, 1, -1, 1.5, 1e300, -1e300, 2**31, 2**63, -(2**63), 10**40, 1e-320]
VALUES = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.sampled_from([None, True, False, [], {}, [None], [1, "x", {}], {"a": [1]}]),
    st.sampled_from([DEEP, {"": ""}, {"a": "x" * 70_000}, ["x"] * 25]),
    # What no jsonb can hold never gets so far.
    st.text(max_size=20).map(
        lambda text: text.encode(errors="replace").decode().replace("\0", "?")
    ),
)
KEYS = [
    "kind", "agent", "proven", "conversation", "thread", "parent_thread", "at", "emitter",
    "source", "ids", "purpose", "model", "on_behalf_of", "outcome", "summary", "tool",
    "args", "call_id", "occurrence", "ok", "error", "result", "result_size",
    "duration_ms", "violation", "unknown", "reason", "input", "cached_input", "output",
    "reasoning", "cost", "step", "details", "", "more",
]  # fmt: skip
KINDS = ["start", "end", "begin", "call", "tokens", "progress", "denied"]
BASES = st.sampled_from(
    [event(kind, tool="t", call_id="id", input=1, output=1, step="s") for kind in KINDS]
)


@st.composite
def elements(draw: st.DrawFn) -> Any:
    """Return an event with some members that nobody meant, or no event at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(VALUES)
    changed = draw(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
    return draw(BASES) | changed


def test_an_element_of_any_kind_costs_no_other_its_place(
    db: Connection, intake: Connection
) -> None:
    seen = 0

    @settings(
        max_examples=150 * TIMES,
        derandomize=TIMES == 1,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(elements(), max_size=8), st.integers(0, 8))
    def send(batch: list[Any], place: int) -> None:
        nonlocal seen
        good = event("call", tool="good", args={}, conversation="good")
        batch = [*batch[:place], good, *batch[place:]]
        answers = record(intake, *batch)
        seen += 1
        assert [answer[0] for answer in answers] == list(range(1, len(batch) + 1))
        assert answers[batch.index(good)][1] == "recorded"
        for element, (_, status, problem, run) in zip(batch, answers, strict=True):
            assert status in ("recorded", "repeated", "unproven", "refused")
            assert bool(problem) == (status == "refused")
            if isinstance(element, dict) and element.get("proven") is not True:
                assert status in ("unproven", "refused") and run is None

    send()
    logged = "select count(*) from agentdb.tool_call_log where tool = 'good'"
    assert value(db, logged) == seen
    # And what reads it reads on.
    for view in ("silent_loop", "run_summary", "agent_health", "unproven_event"):
        db.execute(f"select count(*) from agentdb.{view}".encode())
    for run in range(1, 30):
        db.execute("select count(*) from agentdb.timeline(%s)", [run])
