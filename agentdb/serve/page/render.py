"""Templates, and how times, numbers and whatever agents wrote look in them."""

from __future__ import annotations

import shlex
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ...harmless import harmless
from ...value import json_of
from ...words import counted
from . import picture

HERE = Path(__file__).parent
# What an agent wrote is cut there; the whole of it is a link away.
LONG = 2000
SIZES = ((1e9, 1e9, "B"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
# What stands for nothing.
NONE = "\u2013"
# What is later is no moment but never.
FAR = 9000
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
TONES = {
    "critical": {"critical", "dead", "refuted", "stale", "killed", "error", "conflict"},
    "warning": {"warning", "firing", "unverified", "failed", "crashed",
                "abandoned", "paused", "unknown", "expired", "refused", "unwatched",
                "waiting", "cooling", "rejected", "unreachable", "late"},
    "ok": {"ok", "working", "verified", "succeeded", "applied", "sent", "resolved",
           "approved", "running", "held", "up"},
}  # fmt: skip


def page(
    request: Request, name: str, context: dict[str, Any], status: int = 200
) -> HTMLResponse:
    """Return a page made of a template."""
    state = request.state
    given = {
        "person": getattr(state, "person", None),
        "csrf": getattr(state, "csrf", ""),
        "zone": getattr(state, "zone", None) or timezone.utc,
        "flash": getattr(state, "flash", []),
        "now": datetime.now(timezone.utc),
        "path": request.url.path,
        "here": _here(request),
    }
    return HTMLResponse(
        environment().get_template(name).render(given | context), status
    )


def _here(request: Request) -> str:
    """Return the address of the page without the name of the server."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


@cache
def environment() -> Environment:
    """Return what makes pages of templates; all that is put in is escaped."""
    made = Environment(
        loader=FileSystemLoader(HERE / "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "time": time,
        "ago": ago,
        "counted": counted,
        "sparkline": picture.sparkline,
        "bars": picture.bars,
    }
    # What is typed into a field is seen by whoever sends it.
    made.tests["plain"] = lambda given: visible(str(given)) == str(given)
    made.filters |= {
        "safe_text": text,
        "plain_text": plain_text,
        "value": value,
        "span": span,
        "number": number,
        "money": money,
        "tone": tone,
        "pretty": pretty,
        "at": local,
        "as_key": as_key,
        "as_place": as_place,
        "quoted": quoted,
    }
    return made


def text(given: object, most: int = LONG) -> Markup:
    """Return what somebody wrote, kept apart from what is around it, and cut."""
    return Markup("<bdi>{}</bdi>").format(plain_text(given, most))


def plain_text(given: object, most: int = LONG) -> str:
    """Return what somebody wrote, cut, for where no element may stand."""
    said = "" if given is None else str(given)
    more = len(said) - most
    said = visible(said[:most])
    return f"{said}… ({more:,} more characters)" if more > 0 else said


def visible(said: str) -> str:
    """Return a text in which nothing hides, or turns letters around."""
    return harmless(said)


def value(given: object, most: int = 300) -> Markup:
    """Return a value of a row, in quotes where it could be taken for another."""
    if given is None:
        return Markup('<span class="null">NULL</span>')
    if isinstance(given, dict | list | bool):
        return text(json_of(given), most)
    said = str(given)
    plain = said not in ("", "NULL") and said == said.strip()
    return text(said if plain else f"'{said}'", most)


def pretty(given: object, most: int = LONG) -> Markup:
    """Return JSON on several lines."""
    return text(json_of(given, indent=2), most)


def as_place(row: dict[str, Any]) -> str:
    """Return which row of which table it is, for the value of a field."""
    return json_of({"table": row["table_name"], "key": row["row_key"]})


def quoted(given: str) -> Markup:
    """Return a word as a shell takes it."""
    return text(shlex.quote(given))


def as_key(given: object) -> str:
    """Return a key as a part of an address."""
    return quote(json_of(given), safe="")


def number(given: int | float | Decimal | None) -> str:
    """Return a number in few characters: 412, 5,200, 52.1k, 1.01M."""
    if given is None:
        return NONE
    size = float(given)
    for least, unit, name in SIZES:
        if abs(size) >= least:
            found = size / unit
            return f"{found:.3g}{name}" if abs(found) < 1000 else f"{found:,.0f}{name}"
    return f"{size:,.0f}" if size == int(size) else f"{size:,.1f}"


def money(given: Decimal | float | None) -> str:
    """Return an amount, in the currency that the callers log."""
    if given is None:
        return NONE
    amount = float(given)
    return f"{amount:,.2f}" if abs(amount) >= 1 or not amount else f"{amount:.3g}"


def span(given: timedelta | None) -> str:
    """Return a length of time in its two largest units."""
    if given is None:
        return NONE
    left = int(abs(given.total_seconds()))
    if left < 1:
        ms = round(abs(given.total_seconds()) * 1000)
        return f"{ms} ms" if ms else "0 s"
    said = []
    for size, name in UNITS:
        if left >= size:
            said.append(f"{left // size} {name}")
            left %= size
        elif said:
            break
        if len(said) == 2:
            break
    sign = "-" if given < timedelta() else ""
    return sign + " ".join(said)


def tone(state: object) -> str:
    """Return how a state is shown: critical, warning, ok or calm."""
    for name, states in TONES.items():
        if state in states:
            return name
    return "calm"


@pass_context
def time(context: Context, at: datetime | date | None) -> Markup:
    """Return a moment in the reader's zone, with UTC at hand."""
    if at is None:
        return escape(NONE)
    if at.year > FAR:
        return Markup("for good")
    if not isinstance(at, datetime):
        return Markup("{}").format(at.isoformat())
    said = local(context, at)
    return _time(at, said)


@pass_context
def ago(context: Context, at: datetime | None) -> Markup:
    """Return how long ago a moment was, or how far ahead it is."""
    if at is None:
        return Markup('<span class="faint">never</span>')
    if at.year > FAR:
        return Markup("for good")
    passed = context["now"] - at
    said = (
        "just now"
        if abs(passed) < timedelta(seconds=1)
        else (
            f"{_first(passed)} ago" if passed > timedelta() else f"in {_first(-passed)}"
        )
    )
    return _time(at, said, local(context, at))


def _first(passed: timedelta) -> str:
    """Return a length of time in one unit, and hours beside few days."""
    parts = span(passed).split()
    few_days = parts[1] == "d" and int(parts[0]) < 3
    return " ".join(parts if few_days else parts[:2])


@pass_context
def local(context: Context, at: datetime) -> str:
    """Return a moment in the reader's zone: the day is left out where it is today."""
    zone = context["zone"]
    here, today = at.astimezone(zone), context["now"].astimezone(zone)
    if here.date() == today.date():
        return f"{here:%H:%M:%S}"
    if here.year == today.year:
        return f"{here.day} {here:%b %H:%M}"
    return f"{here:%Y-%m-%d %H:%M}"


def _time(at: datetime, said: str, also: str = "") -> Markup:
    utc = at.astimezone(timezone.utc)
    title = f"{also} · " if also else ""
    return Markup('<time datetime="{}" title="{}{}">{}</time>').format(
        f"{utc:%Y-%m-%dT%H:%M:%SZ}", title, f"{utc:%Y-%m-%d %H:%M:%S} UTC", said
    )
