"""Scores what people would be told of the played incidents (tests/incidents), by rule.

Each scenario is played with the dice of several seeds.  A message is right where its
rule is one that the incident expects; a rule is found where it was sent for it.  Run as
``python -m bench.incident [SEEDS [FIRST]]``.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.incidents import cast, judge
from tests.incidents.timeline import Played


@dataclass
class Tally:
    """What came of a rule over all scenarios."""

    right: int = 0
    wrong: int = 0
    expected: int = 0
    delays: list[float] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)


@dataclass
class Scores:
    """What came of all rules, and how many parts were told of as they should be."""

    rules: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    incidents: list[bool] = field(default_factory=list)
    healthy: list[bool] = field(default_factory=list)

    def count(self, played: Played) -> None:
        """Count one part."""
        well = not judge.problems(played)
        (self.incidents if played.part.bad else self.healthy).append(well)
        wrong = judge.noise(played)
        for message in judge.firing(played):
            tally = self.rules[message.rule]
            if message in wrong:
                tally.wrong += 1
            elif message.rule not in played.play.allowed:
                tally.right += 1
        for score in judge.scores(played):
            sent = next(
                (m.rule for m in judge.firing(played) if m.rule in score.rules),
                score.rules[0],
            )
            tally = self.rules[sent]
            tally.expected += 1
            tally.messages.append(len(judge.firing(played)))
            if score.message is not None:
                tally.delays.append(score.message)


def play(seed: int, timeline: str) -> Scores:
    """Play one timeline in a process of its own."""
    os.environ[cast.VARIABLE] = str(seed)
    scores = Scores()
    for played in cast.play(cast.timelines(cast.all_entries())[timeline]):
        scores.count(played)
    return Scores(dict(scores.rules), scores.incidents, scores.healthy)


def added(parts: list[Scores]) -> Scores:
    """Return the sum of scores."""
    total = Scores()
    for part in parts:
        total.incidents += part.incidents
        total.healthy += part.healthy
        for rule, tally in part.rules.items():
            to = total.rules[rule]
            to.right += tally.right
            to.wrong += tally.wrong
            to.expected += tally.expected
            to.delays += tally.delays
            to.messages += tally.messages
    return total


def main(seeds: int = 1, first: int = 1) -> None:
    jobs = []
    for seed in range(first, first + seeds):
        os.environ[cast.VARIABLE] = str(seed)
        jobs += [(seed, name) for name in cast.timelines(cast.all_entries())]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        total = added(list(pool.map(play, *zip(*jobs, strict=True))))
    show(total, seeds)


def show(total: Scores, seeds: int) -> None:
    """Print the table that docs/rules.md keeps."""
    print(
        f"{seeds} seeds: {sum(total.incidents)} of {len(total.incidents)} incidents "
        f"and {sum(total.healthy)} of {len(total.healthy)} healthy ones are told of "
        "as they should be\n"
    )
    print("| rule | precision | recall | median delay | messages an incident |")
    print("| --- | --- | --- | --- | --- |")
    for rule, tally in sorted(total.rules.items()):
        sent = tally.right + tally.wrong
        print(
            f"| `{rule}` | {_share(tally.right, sent)} "
            f"| {_share(len(tally.delays), tally.expected)} "
            f"| {_middle(tally.delays, ' s')} | {_mean(tally.messages)} |"
        )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else ""


def _middle(values: list[float], unit: str) -> str:
    return f"{statistics.median(values):.0f}{unit}" if values else ""


def _mean(values: list[int]) -> str:
    return f"{statistics.mean(values):.1f}" if values else ""


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
