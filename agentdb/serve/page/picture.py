"""Small pictures in SVG: no style and no script of their own, colours by class."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from markupsafe import Markup, escape

WIDTH, HEIGHT = 144, 28


def sparkline(
    amounts: Sequence[float | int | None], normal: float | None, label: str
) -> Markup:
    """Return bars, newest last, and a line at what is normal at most."""
    found = [float(each or 0) for each in amounts]
    top = max([*found, 1.0])
    if normal:
        # What is far over it must not make all else look like nothing.
        top = min(max(top, normal * 1.25), normal * 2.5)
    step = WIDTH / max(len(found), 1)
    parts = []
    for place, each in enumerate(found):
        if each <= 0:
            continue
        tall = min(max(each / top, 0.04), 1.0) * (HEIGHT - 2)
        over = normal is not None and each > normal
        parts.append(
            f'<rect class="{"spark-over" if over else "spark-bar"}" '
            f'x="{place * step:.1f}" y="{HEIGHT - tall:.1f}" '
            f'width="{max(step - 0.8, 0.8):.1f}" height="{tall:.1f}"/>'
        )
    if normal:
        y = HEIGHT - normal / top * (HEIGHT - 2)
        parts.append(
            f'<line class="spark-normal" x1="0" x2="{WIDTH}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    parts.append(
        f'<line class="spark-base" x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/>'
    )
    return _svg("spark", WIDTH, HEIGHT, label, parts)


def bars(
    spans: Sequence[tuple[datetime, datetime, str]],
    since: datetime,
    until: datetime,
    label: str,
) -> Markup:
    """Return spans of time on one axis of days; each has its words as a title."""
    wide, tall = 840, 64
    total = max((until - since).total_seconds(), 1.0)

    def x(at: datetime) -> float:
        return min(max((at - since).total_seconds() / total, 0), 1) * wide

    parts = [f'<rect class="band" x="0" y="8" width="{wide}" height="28"/>']
    day = since.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while day < until:
        parts.append(
            f'<line class="grid" x1="{x(day):.1f}" x2="{x(day):.1f}" y1="4" y2="40"/>'
            f'<text class="tick" x="{x(day) + 3:.1f}" y="54">{day:%a} {day.day}</text>'
        )
        day += timedelta(days=1)
    for begin, end, said in spans:
        left = x(begin)
        size = max(x(end) - left, 4)
        parts.append(
            f'<rect class="episode" x="{min(left, wide - size):.1f}" y="8" '
            f'width="{size:.1f}" height="28" rx="2">'
            f"<title>{escape(said)}</title></rect>"
        )
    return _svg("days", wide, tall, label, parts)


def _svg(kind: str, wide: int, tall: int, label: str, parts: Sequence[str]) -> Markup:
    head = Markup(
        '<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">'
    ).format(kind, wide, tall, label)
    return head + Markup("".join(parts)) + Markup("</svg>")  # noqa: S704
