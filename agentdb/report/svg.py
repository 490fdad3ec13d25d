"""Draws a run as SVG: a lane a kind of mark, from left to right as time went.

Only classes and presentation attributes, no style and no script: it may stand in a page
whose content security policy allows neither.  axis.css has the colours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from html import escape

from ..harmless import harmless
from ..words import counted
from .scale import Scale, tick_text
from .story import LANES, Mark, Story

Link = Callable[[datetime, datetime], str]

# Room on the left for the lanes' names, and on the right for the last mark.
LEFT, RIGHT = 112, 12
TOP, FOOT = 8, 40
HEIGHT = 30
# Input stands on the base line, output hangs from it.
TOKENS, UP, DOWN = 64, 38, 18
LOCK, MOST_LOCKS = 12, 6
# Marks that share so many pixels are one, and say how many they are.
NEAR = 3
TICKS = 8
SYMBOL = {"error": "failed", "repeat": "again", "unknown": "no such tool"}
# What shows a mark that has no length, about (0, 0).
GLYPHS = {
    "progress": "M-4 5 L0 -5 L4 5 Z",
    "write": "M-4 -4 H4 V4 H-4 Z",
    "change": "M0 -6 L6 0 L0 6 L-6 0 Z",
    "claim": "M-5 0 A5 5 0 1 0 5 0 A5 5 0 1 0 -5 0 Z",
    "question": "M-5 -5 H5 V3 H0 L-3 6 V3 H-5 Z",
    "alert": "M0 -7 L7 6 H-7 Z",
    "stop": "M-3 -7 H3 L7 -3 V3 L3 7 H-3 L-7 3 V-3 Z",
    "resume": "M-4 -6 L6 0 L-4 6 Z",
    "error": "M-4 -4 L4 4 M-4 4 L4 -4",
    "repeat": "M-4 0 A4 4 0 1 0 0 -4 M0 -7 L0 -1 L3 -4 Z",
    "unknown": "M0 -6 L6 0 L0 6 L-6 0 Z M0 -2 V1 M0 3 V4",
}


def axis(
    story: Story,
    *,
    link: Link | None = None,
    width: int = 1200,
    span: timedelta | None = None,
    zone: tzinfo = timezone.utc,
) -> str:
    """Return the axis of a run, `width` units wide.

    With a `link` each part of the scale leads to itself, enlarged.  `span` makes it as
    long as another run's; `zone` is that of the times under it.
    """
    scale = Scale(story.since, span or story.span, width - LEFT - RIGHT)
    lanes, height = [], TOP
    for kind, marks in story.lanes().items():
        tall = _tall(kind, marks, scale)
        lanes.append(_lane(kind, marks, scale, height, tall))
        height += tall
    return "".join(
        (
            f'<svg class="axis" viewBox="0 0 {width} {height + FOOT}" '
            # What holds links is no image to who hears it.
            f'role="{"group" if link else "img"}" '
            f'aria-label="{_text(_label(story))}" xmlns="http://www.w3.org/2000/svg">',
            *_grid(scale, height, zone, link),
            *lanes,
            *_stops(story, scale, height),
            "</svg>",
        )
    )


def _label(story: Story) -> str:
    """Say what the picture shows to those who do not see it."""
    told = ", ".join(
        f"{len(marks):,} {LANES[kind]}" for kind, marks in story.lanes().items()
    )
    return f"Time axis of run {story.run}: {told or 'nothing'}.  The table has all."


def _tall(kind: str, marks: list[Mark], scale: Scale) -> int:
    if kind == "tokens":
        return TOKENS
    if kind == "lock":
        return max(HEIGHT, LOCK * len(set(_rows(marks))) + 12)
    return HEIGHT


def _lane(kind: str, marks: list[Mark], scale: Scale, top: int, tall: int) -> str:
    middle = top + tall // 2
    drawn = DRAWN.get(kind, _glyphs)(marks, scale, top, middle)
    return (
        f'<g class="axis-lane axis-{kind.replace(" ", "-")}">'
        f'<text class="axis-name" x="0" y="{middle + 4}">{LANES[kind]}</text>'
        f'<line class="axis-rule" x1="{LEFT}" x2="{LEFT + scale.width:.0f}" '
        f'y1="{top + tall}" y2="{top + tall}"/>{"".join(drawn)}</g>'
    )


def _grid(scale: Scale, height: int, zone: tzinfo, link: Link | None) -> Iterator[str]:
    """Yield the lines of round times with their texts, and the links between them."""
    step = scale.step(TICKS)
    ticks = scale.ticks(step)
    yield '<g class="axis-grid">'
    for at in ticks:
        x = LEFT + scale.place(at)
        text = tick_text(at.astimezone(zone), step)
        yield (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height}"/>'
            f'<text x="{x:.1f}" y="{height + 16}" text-anchor="middle">{text}</text>'
        )
    yield "</g>"
    if link is None:
        return
    ends = [scale.since, *(t for t in ticks if t > scale.since)]
    for since, until in zip(ends, [*ends[1:], scale.since + scale.span], strict=True):
        a, b = LEFT + scale.place(since), LEFT + scale.place(until)
        if b - a < NEAR:
            continue
        begin, end = since.astimezone(zone), until.astimezone(zone)
        name = f"Enlarge {begin:%H:%M:%S} to {end:%H:%M:%S}"
        yield (
            f'<a class="axis-zoom" href="{_text(link(since, until))}" '
            f'aria-label="{name}"><title>{name}</title><rect x="{a + 1:.1f}" '
            f'y="{height + 22}" width="{b - a - 2:.1f}" height="14" rx="3"/></a>'
        )


def _tokens(marks: list[Mark], scale: Scale, top: int, middle: int) -> Iterator[str]:
    """Yield a bar a place: the input up, the output down, each of the lane's most."""
    base = top + UP + 2
    near = list(_near(marks, scale))
    most_in = max((_sum(m.amount for m in group) for _, group in near), default=0)
    most_out = max((_sum(m.output for m in group) for _, group in near), default=0)
    for x, group in near:
        into, out = _sum(m.amount for m in group), _sum(m.output for m in group)
        title = f"{_when(group)}{into:,} tokens in, {out:,} out, {group[0].what}"
        up, down = _share(into, most_in) * UP, _share(out, most_out) * DOWN
        yield (
            f"<g><title>{_text(title)}</title>"
            f'<rect class="axis-in" x="{x - 1:.1f}" y="{base - up:.1f}" width="2.5" '
            f'height="{up:.1f}"/><rect class="axis-out" x="{x - 1:.1f}" y="{base + 1}" '
            f'width="2.5" height="{down:.1f}"/></g>'
        )


def _calls(marks: list[Mark], scale: Scale, top: int, middle: int) -> Iterator[str]:
    """Yield a bar as long as each call took; over it what is wrong with it."""
    for x, group in _near(marks, scale):
        last = max(_end(mark, scale) for mark in group)
        length = max(LEFT + scale.place(last) - x, 2)
        open_ = any(mark.ends_at is None for mark in group)
        yield (
            f'<rect class="axis-bar{" axis-open" if open_ else ""}" x="{x:.1f}" '
            f'y="{middle - 2}" width="{length:.1f}" height="10" rx="1">'
            f"<title>{_text(_title(group))}</title></rect>"
        )
    for note in SYMBOL:
        noted = [mark for mark in marks if mark.note == note]
        for x, group in _near(noted, scale, 9):
            yield _glyph(note, x, middle - 8, group, note)


def _locks(marks: list[Mark], scale: Scale, top: int, middle: int) -> Iterator[str]:
    for mark, row in zip(marks, _rows(marks), strict=True):
        a = LEFT + scale.place(mark.at)
        b = max(LEFT + scale.place(_end(mark, scale)), a + 3)
        y = top + 8 + row * LOCK
        kind = "axis-open" if mark.ends_at is None else ""
        kind += " axis-error" if mark.note else ""
        yield (
            f'<g class="axis-span {kind}"><title>{_text(_title([mark]))}</title>'
            f'<rect x="{a:.1f}" y="{y}" width="{b - a:.1f}" height="8" rx="3"/></g>'
        )


def _rows(marks: list[Mark]) -> Iterator[int]:
    """Yield the row of each lock: below another that was held at the same time."""
    ends: list[datetime | None] = []
    for mark in marks:
        free = (i for i, end in enumerate(ends) if end is not None and end <= mark.at)
        row = next(free, len(ends))
        if row == len(ends):
            ends.append(mark.ends_at)
        else:
            ends[row] = mark.ends_at
        yield row % MOST_LOCKS


def _glyphs(marks: list[Mark], scale: Scale, top: int, middle: int) -> Iterator[str]:
    for note, resumes in (("", False), ("", True), ("error", False)):
        alike = [m for m in marks if m.note == note and m.resumes == resumes]
        for x, group in _near(alike, scale):
            shape = "resume" if resumes else group[0].lane
            yield _glyph(shape, x, middle, group, "resume" if resumes else note)
            if note:
                yield _glyph("error", x, middle, group, note)


def _glyph(shape: str, x: float, y: float, group: list[Mark], note: str) -> str:
    return (
        f'<path class="axis-mark{f" axis-{note}" if note else ""}" '
        f'd="{GLYPHS.get(shape, GLYPHS["write"])}" '
        f'transform="translate({x:.1f} {y:.1f})">'
        f"<title>{_text(_title(group))}</title></path>"
    )


def _stops(story: Story, scale: Scale, height: int) -> Iterator[str]:
    """Yield a line through all lanes for each stop, and for the end."""
    for mark in story.marks:
        if mark.kind in ("stop", "end") and not mark.resumes:
            x = LEFT + scale.place(mark.at)
            yield (
                f'<line class="axis-{mark.kind}-line" x1="{x:.1f}" x2="{x:.1f}" '
                f'y1="{TOP}" y2="{height}"><title>{_text(_title([mark]))}</title>'
                "</line>"
            )


def _near(
    marks: list[Mark], scale: Scale, near: int = NEAR
) -> Iterator[tuple[float, list[Mark]]]:
    """Yield marks that are at one place together."""
    groups: dict[int, list[Mark]] = {}
    for mark in marks:
        groups.setdefault(int(scale.place(mark.at) // near), []).append(mark)
    for _, group in sorted(groups.items()):
        yield LEFT + scale.place(group[0].at), group


def _title(group: list[Mark]) -> str:
    """Say what a mark stands for."""
    first = group[0]
    if len(group) > 1:
        return f"{_when(group)}{len(group):,} of {first.what}"
    parts = [_when(group), first.what]
    if first.note and first.kind == "tool call":
        parts.append(f" ({SYMBOL.get(first.note, first.note)})")
    if first.ends_at is None:
        parts.append(", and it goes on")
    elif first.lasted:
        parts.append(f", for {first.lasted}")
    if first.kind == "tool call" and first.amount is not None:
        parts.append(f", {counted(first.amount, 'byte')}")
    return "".join(parts)


def _when(group: list[Mark]) -> str:
    return f"{group[0].at.astimezone(timezone.utc):%H:%M:%S} UTC  "


def _end(mark: Mark, scale: Scale) -> datetime:
    return mark.ends_at or scale.since + scale.span


def _sum(numbers: Iterable[int | None]) -> int:
    return sum(number or 0 for number in numbers)


def _share(value: int, most: int) -> float:
    """Return a share of 1, and some of it where there is anything at all."""
    return max(value / most, 0.04) if value > 0 else 0.0


def _text(value: str) -> str:
    return escape(harmless(value).replace("\n", " "))


DRAWN: dict[str, Callable[[list[Mark], Scale, int, int], Iterator[str]]] = {
    "tokens": _tokens,
    "tool call": _calls,
    "lock": _locks,
}
