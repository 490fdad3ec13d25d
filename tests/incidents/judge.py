"""Says whether what was sent is what a good engineer would have sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from .play import Expected
from .runner import Message
from .timeline import Played, moment

RANK = {"info": 0, "warning": 1, "critical": 2}
# Two evaluations until the row of the alert; a minute more until the message.
ROW = timedelta(seconds=30)
MESSAGE = timedelta(seconds=60)
# What the turns themselves take, by the clock on the wall.
SLACK = timedelta(seconds=5)


@dataclass(frozen=True)
class Score:
    """How one expected message did; seconds from the moment at which it was known."""

    rules: tuple[str, ...]
    row: float | None
    message: float | None


def problems(played: Played) -> list[str]:
    """Return what is wrong with what was sent, in sentences; nothing if all is well."""
    if played.error:
        return [f"the scenario itself failed: {played.error}"]
    if played.part.bad and not played.play.expected:
        return ["the scenario expects nothing"]
    told = [text for each in played.play.expected for text in _missing(played, each)]
    return told + _too_much(played)


def scores(played: Played) -> list[Score]:
    """Return how soon each expected message was sent."""
    return [
        Score(
            each.rules,
            _since(each, _row(played, each)),
            _since(each, _sent(played, each)),
        )
        for each in played.play.expected
    ]


def firing(played: Played) -> list[Message]:
    """Return the messages that say that something is wrong."""
    return [m for m in played.messages if m.kind == "firing"]


def noise(played: Played) -> list[Message]:
    """Return the messages that a good engineer would not have sent."""
    wanted = {rule for each in played.play.expected for rule in each.rules}
    return [
        m for m in firing(played) if m.rule not in wanted and not _allowed(played, m)
    ]


def _allowed(played: Played, message: Message) -> bool:
    most = played.play.allowed.get(message.rule)
    return most is not None and RANK[message.severity] <= RANK[most]


def _fits(message: Message, expected: Expected) -> bool:
    bad_enough = RANK[message.severity] >= RANK[expected.severity]
    return message.kind == "firing" and message.rule in expected.rules and bad_enough


def _sent(played: Played, expected: Expected) -> datetime | None:
    return next((m.at for m in played.messages if _fits(m, expected)), None)


def _row(played: Played, expected: Expected) -> datetime | None:
    rows = (a["active_at"] for a in played.alerts if a["rule_name"] in expected.rules)
    return next(rows, None)


def _since(expected: Expected, at: datetime | None) -> float | None:
    return None if at is None else max(0.0, (at - expected.known).total_seconds())


def _missing(played: Played, expected: Expected) -> list[str]:
    """Return what is wrong with the message that was expected."""
    wanted = f"{expected.severity} {' or '.join(expected.rules)}"
    row, sent = _row(played, expected), _sent(played, expected)
    if sent is None:
        return [f"nobody was sent {wanted}, known at {moment(expected.known)}"]
    told = []
    until = expected.known + ROW + SLACK
    if row is None or row > until:
        told.append(
            f"the alert {wanted} was due at {moment(until)}, and came at "
            f"{row and moment(row)}"
        )
    until += MESSAGE if expected.severity != "critical" else timedelta()
    if sent > until:
        told.append(f"{wanted} was to be sent by {moment(until)}, not {moment(sent)}")
    text = "\n".join(m.text for m in played.messages if _fits(m, expected))
    told += [
        f"the message about {wanted} does not say {words}"
        for words in expected.says
        if not re.search(words, text, re.IGNORECASE)
    ]
    return told


def _too_much(played: Played) -> list[str]:
    """Return what was sent besides."""
    told = [f"sent for nothing: {m.severity} {m.rule}" for m in noise(played)]
    most = len(played.play.expected) + played.play.updates
    wanted = [m for m in firing(played) if not _allowed(played, m)]
    if played.part.bad and len(wanted) > most:
        told.append(f"{len(wanted)} messages where {most} say it all")
    ends = [m for m in played.messages if m.kind == "resolved"]
    ends = [m for m in ends if m.rule not in played.play.allowed]
    if len(ends) > max(1, most):
        told.append(f"{len(ends)} ends of one incident")
    return told


def account(played: Played) -> str:
    """Return what was expected and what was sent, for a person who reads a failure."""
    lines = [
        f"expected: {e.severity} {e.rules} known at {moment(e.known)}"
        for e in played.play.expected
    ]
    for message in played.messages:
        head = f"{moment(message.at)} {message.kind}"
        lines.append(head + ": " + message.text.replace("\n", "\n      "))
    return "\n".join(lines)
