"""A notification as a person on a phone reads it: who, what, since when, what to do.

What agents wrote is data here: it can neither mention anybody, nor link, nor hide or
reorder what is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

MARKS = {"critical": "CRIT", "warning": "WARN", "info": "INFO"}
KINDS = {
    "acknowledged": "ACK",
    "resolved": "RESOLVED",
    "silenced": "SILENCED",
    "test": "TEST",
}
STATES = ("firing", "acknowledged", "silenced", "resolved")
LONGEST = 300
# Of a digest: so many lines, and so long, that it is read at a glance.
CHANGES, LINE = 8, 160
# Signs that chat services and mail readers act upon.
HARMLESS = str.maketrans({"@": "\uff20", "<": "\u2039", ">": "\u203a"})


def plain(value: object, longest: int = LONGEST) -> str:
    """Return text on one line that nobody's software acts upon."""
    text = "".join(
        " " if c.isspace() else c if _shows(c) else "\ufffd" for c in str(value)
    )
    text = " ".join(text.split()).translate(HARMLESS)
    text = re.sub(r"(?i)(www)\.", r"\1[.]", text.replace("://", "[:]//"))
    return text if len(text) <= longest else text[: longest - 1] + "\u2026"


def _shows(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def subject(payload: dict[str, Any]) -> str:
    """Return the one line that a phone shows."""
    mark = MARKS.get(str(payload.get("severity")), "ALERT")
    mark = KINDS.get(str(payload.get("kind")), mark)
    rule = plain(payload.get("rule") or ("alerts" if payload.get("worst") else ""))
    # What the runner tells from memory is no alert of the database.
    number = f"A-{payload['alert']}" if payload.get("alert") else payload.get("group")
    parts = [f"[{mark}]", rule, plain(number or "", 40)]
    parts += [f"{name}={text}" for name, text in _labels(payload)]
    # What the agent said, and nobody knows.
    if whom := payload.get("on_behalf_of"):
        who = sum(name in ("agent", "run") for name in payload.get("labels") or {})
        parts.insert(3 + who, f"(says it works for {plain(whom, 60)})")
    return " ".join(filter(None, parts))


def lines(payload: dict[str, Any]) -> list[str]:
    """Return what is wrong and the command to type, then all that stands behind it.

    A phone shows three lines before its fold.
    """
    command = payload.get("command")
    found = [subject(payload), _headline(payload)]
    found += [f"do: {line}" for line in _whole([command] if command else [])]
    found += _changed(payload)
    found += _besides(payload)
    if was := payload.get("was"):
        found.append(f"it was: {plain(was, 2 * LONGEST)}")
    found += _diagnosed(payload)
    found += [f"row: {plain(row)}" for row in payload.get("evidence") or []]
    found += _answers(payload)
    found += _members(payload)
    if reason := payload.get("reason"):
        found.append(f"reason: {plain(reason)}")
    remedy = [line for line in payload.get("remedy") or [] if line != command]
    found += [f"do: {line}" for line in _whole(remedy)]
    if ends := payload.get("ends_when"):
        found.append(f"ends when {plain(ends)}")
    # The commands are ours, but labels are in them.
    found += [f"next: {line}" for line in _whole(payload.get("next", []))]
    if link := payload.get("link"):
        found.append(str(link))
    return [line for line in found if line]


def _headline(payload: dict[str, Any]) -> str:
    """Return what is wrong since when, or what is new where that was told before."""
    text = "; ".join(payload.get("news") or []) or payload.get("summary", "")
    since = str(payload.get("since") or "")[:16].replace("T", " ")
    # How long it lasted is told where it is over.
    if not since or payload.get("kind") in ("resolved", "test"):
        return plain(text, 2 * LONGEST)
    return f"{plain(text, 2 * LONGEST)}, since {plain(since)} UTC"


def _changed(payload: dict[str, Any]) -> Iterator[str]:
    """Yield what a digest says of the day: how many, the day before, which most."""
    changes = payload.get("changes") or []
    for each in changes[:CHANGES]:
        yield plain(each, LINE)
    if more := len(changes[CHANGES:]):
        yield f"and {more} more: agentdb digest"


def _besides(payload: dict[str, Any]) -> Iterator[str]:
    """Yield what an incident was about before its news, and what follows from it."""
    if payload.get("news"):
        yield f"incident: {plain(payload.get('summary', ''), 2 * LONGEST)}"
    for each in payload.get("also") or []:
        yield f"also: A-{each.get('alert')} {plain(each.get('summary', ''), 200)}"


def _whole(commands: list[Any]) -> Iterator[str]:
    """Yield what may be typed; what would be cut off, within quotes, may not."""
    for command in commands:
        if len(plain(command, LONGEST + 1)) <= LONGEST:
            yield plain(command)


def _diagnosed(payload: dict[str, Any]) -> Iterator[str]:
    """Yield what was found out about failed calls, each with what fixes it."""
    for line in payload.get("diagnosis") or []:
        fix = str(line).startswith("fix: ")
        yield plain(line) if fix else f"diagnosis: {plain(line)}"


def _answers(payload: dict[str, Any]) -> Iterator[str]:
    """Yield the answers to choose from, where somebody is asked."""
    options = (payload.get("annotations") or {}).get("options")
    if isinstance(options, list) and options:
        yield "answers: " + " | ".join(plain(option, 100) for option in options[:10])


def _members(payload: dict[str, Any]) -> Iterator[str]:
    """Yield how many alerts a group has in which state, and the worst of them."""
    counts = ((payload.get(state), state) for state in STATES)
    yield ", ".join(f"{count} {state}" for count, state in counts if count)
    for each in payload.get("worst") or []:
        mark = MARKS.get(str(each.get("severity")), "ALERT")
        yield f"[{mark}] A-{each.get('alert')} {plain(each.get('summary', ''), 200)}"


def _labels(payload: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the labels, the agent first, without what the subject says anyway."""
    labels = {
        name: text
        for name, text in (payload.get("labels") or {}).items()
        if name not in ("rule", "severity") or text != payload.get(name)
    }
    for name in sorted(labels, key=lambda name: (name != "agent", name != "run", name)):
        yield plain(name, 40), plain(labels[name], 60)
