"""The scenarios themselves: a product that is worse than ours must fail them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from . import cast, judge
from .registry import ENTRIES

RULE = "update agentdb.alert_rule set {} where rule_name = '{}'"
MUTANTS = {
    "a rule is switched off": (
        RULE.format("enabled = false", "hung_tool_call"),
        ["call_that_hangs"],
        "nobody was sent",
    ),
    "a critical rule is a warning": (
        RULE.format("severity = 'warning'", "blast_radius"),
        ["one_statement_without_a_where"],
        "nobody was sent critical",
    ),
    "an alert waits before it fires": (
        RULE.format("fire_after = '5 minutes'", "stale_lock"),
        ["stale_lock_that_nobody_takes"],
        "sent by|due at|nobody was sent",
    ),
    "nothing explains anything": (
        "delete from agentdb.inhibition",
        ["crash_that_nobody_repairs"],
        "sent for nothing|say it all",
    ),
    "a threshold is far too low": (
        "update agentdb.policy set no_progress_after = '2 minutes'",
        ["declared_call_that_takes_twice_as_long", "waits_for_a_rate_limit",
         "call_that_hangs"],
        "sent for nothing",
    ),
    "messages are sent twice": (
        "select agentdb.set_route('twice', 'stdout', repeat_interval => '1 minute')",
        ["tick_that_does_not_come"],
        "say it all",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("mutant", "names", "told"), MUTANTS.values(), ids=[*MUTANTS])
def test_mutant_is_caught(mutant: str, names: Sequence[str], told: str) -> None:
    cast.all_entries()
    entries = [ENTRIES[name] for name in names]
    played = cast.play(entries, before=[mutant])
    found = " ".join(text for each in played for text in judge.problems(each))
    assert any(words in found for words in told.split("|")), found
