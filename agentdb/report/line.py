"""Draws a run for a terminal: a line a lane, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timezone

from .scale import Scale, tick_text
from .story import LANES, Mark, Story

# For the lanes' names.
LEFT = 13
# How much, from a little to the most of the lane.
LEVELS = "▁▂▃▄▅▆▇█"
# Of several marks at one place the first of these is shown.
SIGNS = {"unknown": "?", "error": "x", "repeat": "r"}
LEGEND = {
    "?": "unknown tool", "x": "failed", "r": "repeated", "=": "held", ">": "goes on",
    "!": "alert", "#": "stop", "+": "resumed",
}  # fmt: skip
PLAIN = {"alert": "!", "stop": "#", "write": "w", "change": "c", "claim": "o"}
# A tick's text, and a space.
TICK = 10


def axis(story: Story, *, width: int = 80) -> list[str]:
    """Return the lines of a run's axis, none of them wider than `width`."""
    scale = Scale(story.since, story.span, max(width - LEFT, TICK) - 1)
    lines = [
        f"{LANES[kind]:<{LEFT}}"
        + "".join(DRAWN.get(kind, _signs)(marks, scale)).rstrip()
        for kind, marks in story.lanes().items()
    ]
    lines.append(" " * LEFT + _ticks(scale))
    used = {sign for line in lines[:-1] for sign in line[LEFT:]}
    told = [f"{sign} {what}" for sign, what in LEGEND.items() if sign in used]
    if told:
        lines.append(" " * LEFT + ", ".join(told))
    return lines


def _signs(marks: list[Mark], scale: Scale) -> list[str]:
    """Return the worst of what is at each place."""
    cells = _empty(scale)
    order = [*SIGNS, ""]
    for mark in sorted(marks, key=lambda m: -order.index(m.note)):
        plain = "+" if mark.resumes else PLAIN.get(mark.lane, "|")
        cells[int(scale.place(mark.at))] = SIGNS.get(mark.note, plain)
    return cells


def _levels(marks: list[Mark], scale: Scale) -> list[str]:
    sums = [0] * len(_empty(scale))
    for mark in marks:
        sums[int(scale.place(mark.at))] += (mark.amount or 0) + (mark.output or 0)
    most = max(sums, default=0)
    top = len(LEVELS) - 1
    return [LEVELS[value * top // most] if value else " " for value in sums]


def _spans(marks: list[Mark], scale: Scale) -> list[str]:
    cells = _empty(scale)
    for mark in marks:
        first = int(scale.place(mark.at))
        last = int(scale.place(mark.ends_at)) if mark.ends_at else len(cells) - 1
        for place in range(first, last + 1):
            cells[place] = "="
        if mark.ends_at is None:
            cells[-1] = ">"
        elif mark.note:
            cells[last] = "x"
    return cells


def _empty(scale: Scale) -> list[str]:
    return [" "] * (int(scale.width) + 1)


def _ticks(scale: Scale) -> str:
    """Return the times under the axis, in UTC."""
    most = max(int(scale.width) // (TICK + 4), 1)
    step = scale.step(most)
    line = ""
    for at in scale.ticks(step):
        place, text = int(scale.place(at)), tick_text(at.astimezone(timezone.utc), step)
        if place >= len(line) and place + len(text) + 1 <= scale.width + 1:
            line = f"{line:<{place}}{text} "
    return f"{line}UTC" if len(line) + 3 <= scale.width + 1 else line.rstrip()


DRAWN: dict[str, Callable[[list[Mark], Scale], list[str]]] = {
    "tokens": _levels,
    "lock": _spans,
}
