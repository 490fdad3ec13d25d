"""Detectors that others have published, made again from their descriptions.

Each returns the moments, in seconds, at which it would page.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from bench.fleet import DAY, LEARN, WEEK, Agent, Call, as_json

Detector = Callable[[Agent], list[float]]


def _each(agent: Agent) -> Iterator[tuple[Call, list[Call]]]:
    """Yield each call with those of its session up to it."""
    for session in agent.sessions:
        for place, call in enumerate(session.calls):
            yield call, session.calls[max(0, place - 29) : place + 1]


def _deed(call: Call) -> str:
    return call.tool + as_json(call.args)


def _whole(call: Call) -> str:
    return f"{_deed(call)} {call.ok} {call.result}"


def openhands(agent: Agent) -> list[float]:
    """Stuck detector of OpenHands.

    Four equal actions with equal observations, three equal actions that all fail, or
    six that alternate.
    """
    return [call.at for call, seen in _each(agent) if _is_stuck(seen)]


def _is_stuck(seen: Sequence[Call]) -> bool:
    four, three, six = seen[-4:], seen[-3:], seen[-6:]
    return (
        (len(four) == 4 and len({_whole(c) for c in four}) == 1)
        or (
            len(three) == 3
            and len({_deed(c) for c in three}) == 1
            and not any(c.ok for c in three)
        )
        or (
            len(six) == 6
            and all(_whole(six[i]) == _whole(six[i + 2]) for i in range(4))
            and _whole(six[0]) != _whole(six[1])
        )
    )


def gemini(agent: Agent) -> list[float]:
    """Loop detection of Gemini CLI: five consecutive calls with equal arguments."""
    return [
        call.at
        for call, seen in _each(agent)
        if len(seen) >= 5 and len({_deed(each) for each in seen[-5:]}) == 1
    ]


def crush(agent: Agent) -> list[float]:
    """Loop detection of Crush: more than five equal calls of the last ten."""
    return [
        call.at
        for call, seen in _each(agent)
        if len(seen) >= 10
        and [_whole(each) for each in seen[-10:]].count(_whole(call)) > 5
    ]


def ewma(agent: Agent) -> list[float]:
    """Exponentially weighted moving average, three standard deviations."""
    mean = variance = 0.0
    found = []
    for step, tokens in enumerate(_sums(agent.tokens, 6)):
        if step >= LEARN and tokens > mean + 3 * variance**0.5 + 1:
            found.append(step * 300.0)
        change = tokens - mean
        mean += 0.05 * change
        variance = 0.95 * (variance + 0.05 * change * change)
    return found


def adaptive(agent: Agent) -> list[float]:
    """Adaptive thresholds as Grafana describes them for Prometheus.

    The mean of an hour and twice the deviation of 26, half as much again at least, and
    what was seen a day and a week ago; for ten minutes.
    """
    means = [total / 12 for total in _sums(agent.tokens, 12)]
    squares = [s / 12 for s in _sums([t * t for t in agent.tokens], 12)]
    spread = [max(s - m * m, 0) ** 0.5 for s, m in zip(squares, means, strict=True)]
    wide = [d if d > 0.5 * m else 0.0 for d, m in zip(spread, means, strict=True)]
    total = _sums(wide, 312)
    count = _sums([float(d > 0) for d in wide], 312)
    found, lasting = [], 0
    for step in range(LEARN, len(means)):
        band = max(
            means[step] + 2 * total[step] / max(count[step], 1),
            1.5 * means[step],
            *(means[step - ago] + 2 * spread[step - ago] for ago in (DAY, WEEK)),
        )
        lasting = lasting + 1 if agent.tokens[step] > band else 0
        if lasting >= 2:
            found.append(step * 300.0)
    return found


def robust(agent: Agent) -> list[float]:
    """Median and median absolute deviation of the active half hours of 14 days."""
    sums = _sums(agent.tokens, 6)
    found, limit = [], 0.0
    for step in range(LEARN, len(sums)):
        if step % 12 == 0:
            active = [t for t in sums[step - 2 * WEEK : step - 6 : 6] if t > 0] or [0.0]
            middle = statistics.median(active)
            deviation = statistics.median(abs(t - middle) for t in active)
            limit = middle + 3.5 * 1.4826 * deviation
        if sums[step] > limit:
            found.append(step * 300.0)
    return found


def _sums(values: Sequence[float], width: int) -> list[float]:
    """Return the sum of each value and those before it, so many in all."""
    sums, total = [], 0.0
    for place, value in enumerate(values):
        total += value - (values[place - width] if place >= width else 0)
        sums.append(max(total, 0.0))
    return sums


PUBLISHED: dict[str, Detector] = {
    "OpenHands stuck detector": openhands,
    "Gemini CLI (5 in a row)": gemini,
    "Crush (>5 of the last 10)": crush,
    "EWMA, 3 sigma": ewma,
    "Grafana adaptive": adaptive,
    "median + 3.5 MAD": robust,
}
