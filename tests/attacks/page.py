"""Writes docs/attacks.md: what is tried against each law, and what holds it."""

from __future__ import annotations

from collections.abc import Iterator

from .attack import ROOT, Attack

PAGE = ROOT / "docs/attacks.md"
LAWS = {
    1: "A function of the pack finds nothing but what it means, whatever `search_path` "
    "and temporary objects its caller has.",
    2: "Agents, PUBLIC, auditors and reviewers reach what they are granted, and no more.",
    3: "Whose call it is, and whose decision, no argument and no setting says.",
    4: "What is recorded, staged and sealed does not depend on how a session writes "
    "numbers, times and bytes.",
    5: "No agent makes anybody wait: not another agent, nor a stop, nor the runner.",
    6: "When something happened, the clock of the database says at that moment.",
    7: "Every argument has its limits, and every agent has its caps.",
    8: "What an agent wrote deceives and breaks nothing that reads it.",
    9: "A log is added to, by its owner too, and a seal tells what was done behind it.",
    10: "What is stopped, guarded, fenced or not done is refused or refuted, and a "
    "refusal shows nobody what it may not see.",
    11: "An installation adopts nothing, and says what is not as it was released.",
}
HEAD = """\
# Attacks
Each law of [security](security.md) is tried by attacks in `tests/attacks`, and each attack has a mutant of the pack
that lets it through: one clause is changed, the day of an agent, a reviewer and an operator goes on as ever, and the
attack succeeds.  So the function or the right that is named here is what holds it.  `make attacks` plays them all, on PostgreSQL 14 to
18 (`make attacks PG=14`), with calls of every granted function with values that nobody meant.

This page is written from the attacks.
"""


def page(attacks: list[Attack]) -> str:
    """Return the page as it has to be."""
    return "\n".join([HEAD, *_sections(attacks)])


def _sections(attacks: list[Attack]) -> Iterator[str]:
    for law, text in LAWS.items():
        yield f"## {text.rstrip('.')}\n\n| what is tried | what the mutant changes |\n| --- | --- |"
        for attack in attacks:
            if attack.law == law:
                title = attack.title.replace("|", "\\|").rstrip(".")
                yield f"| {title} | {_clause(attack)} |"
        yield ""


def _clause(attack: Attack) -> str:
    """Return the function or the statement that the mutant changes."""
    if attack.mutant.what != "sql":
        return f"`{attack.mutant.what.removeprefix('file ')}`"
    statement = " ".join(attack.mutant.change.split())
    short = statement if len(statement) <= 90 else statement[:89] + "…"
    return f"`{short.replace('|', chr(92) + '|')}`"
