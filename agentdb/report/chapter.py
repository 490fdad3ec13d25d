"""What is told of a run, chapter by chapter, whatever form it is written in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..value import shown, text_of
from ..words import counted
from .story import MOST, Mark, Row, Story

NOTES = {"error": "failed", "repeat": "repeated", "unknown": "unknown tool"}
FACTS = {
    "agent_name": "Agent",
    "on_behalf_of": "On behalf of",
    "purpose": "Purpose",
    "conversation": "Conversation",
    "instance": "Instance",
    "role_name": "Role",
    "started_at": "Began",
    "ended_at": "Ended",
    "took": "Took",
    "end_reason": "Why it ended",
    "summary": "What it says it did",
    "last_step": "Last step",
    "parent_run_id": "Started by run",
    "parent_is": "Which is",
}


@dataclass(frozen=True)
class Chapter:
    """A title, sentences, and a table whose cells are text."""

    title: str
    sentences: list[str] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def title(story: Story) -> str:
    """Return the headline."""
    facts = story.facts
    return f"Run {story.run} of {facts['agent_name']}: {facts['state']}"


def chapters(story: Story) -> Iterator[Chapter]:
    """Yield what is known, the cause first; an empty chapter is left out."""
    yield Chapter("Facts", header=["Fact", "Value"], rows=list(_facts(story.facts)))
    yield from _table(
        "Alerts",
        story.alerts,
        {
            "alert_id": "Alert", "severity": "Severity", "rule_name": "Rule",
            "summary": "What", "firing_at": "Fired", "resolved_at": "Over",
            "end_reason": "What ended it",
        },
    )  # fmt: skip
    yield from _table(
        "Claims",
        story.claims,
        {
            "claim_id": "Claim", "state": "Verdict", "kind": "Kind",
            "target": "Target", "expectation": "Claimed", "evidence": "Seen",
        },
    )  # fmt: skip
    yield from _table(
        "Changes",
        story.changes,
        {
            "change_id": "Change", "state": "State", "row_count": "Rows",
            "reason": "Reason", "decisions": "Decided", "applied_by": "Applied by",
            "problem": "Problem",
        },
    )  # fmt: skip
    yield from _table(
        "Rows written",
        story.writes,
        {
            "table_name": "Table", "operation": "Operation", "row_count": "Rows",
            "first_at": "First", "last_at": "Last",
        },
    )  # fmt: skip
    if len(story.tree) > 1:
        yield from _table(
            "Runs that belong together",
            story.tree,
            {
                "run_id": "Run", "parent_run_id": "Started by", "parent_is": "Which is",
                "agent_name": "Agent", "on_behalf_of": "On behalf of",
                "state": "State", "started_at": "Began", "took": "Took",
            },
        )  # fmt: skip
    yield _events(story)


def _facts(facts: Row) -> Iterator[list[str]]:
    for name, told in FACTS.items():
        if facts.get(name) is not None:
            yield [told, text_of(facts[name], name, full=True)]
    into = facts["input_tokens"] + facts["cached_input_tokens"]
    yield ["Tokens", f"{into:,} in, {facts['output_tokens']:,} out"]
    if facts["cost"]:
        yield ["Cost", shown(facts["cost"])]
    yield [
        "Tool calls",
        f"{facts['tool_calls']:,}, of which {facts['tool_errors']:,} failed",
    ]


def _table(heading: str, rows: list[Row], columns: dict[str, str]) -> Iterator[Chapter]:
    """Yield a chapter of those columns in which any row has a value."""
    if not rows:
        return
    used = [name for name in columns if any(row.get(name) is not None for row in rows)]
    yield Chapter(
        heading,
        header=[columns[name] for name in used],
        rows=[[_cell(row.get(name), name) for name in used] for row in rows],
    )


def _cell(value: Any, name: str) -> str:
    if value is None:
        return ""
    return f"A-{value}" if name == "alert_id" else text_of(value, name, full=True)


def _events(story: Story) -> Chapter:
    sentences = []
    if story.cut:
        sentences = [f"The latest {counted(MOST, 'event')} of this time."]
    return Chapter(
        "Events",
        sentences,
        ["At", "Kind", "What", "Note", "For", "In or size", "Out"],
        [event(mark) for mark in story.marks],
    )


def event(mark: Mark) -> list[str]:
    """Return a mark as the cells of a table: those of the chapter of events."""
    return [
        text_of(mark.at, "at", full=True),
        mark.kind,
        mark.what,
        NOTES.get(mark.note, mark.note),
        mark.lasted,
        "" if mark.amount is None else f"{mark.amount:,}",
        "" if mark.output is None else f"{mark.output:,}",
    ]
