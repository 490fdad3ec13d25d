"""A notification as a person on a phone reads it: who, what, since when, what to do.

What agents wrote is data here: it can neither mention anybody, nor link, nor hide or
reorder what is read.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

MARKS = {"critical": "CRIT", "warning": "WARN", "info": "INFO"}
LONGEST = 300
# Signs that chat services and mail readers act upon.
HARMLESS = str.maketrans({"@": "\uff20", "<": "\u2039", ">": "\u203a"})


def plain(value: object, longest: int = LONGEST) -> str:
    """Return text on one line that nobody's software acts upon."""
    text = "".join(
        " " if c.isspace() else c if _shows(c) else "\ufffd" for c in str(value)
    )
    text = " ".join(text.split()).translate(HARMLESS)
    text = text.replace("://", "[:]//").replace("www.", "www[.]")
    return text if len(text) <= longest else text[: longest - 1] + "\u2026"


def _shows(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def subject(payload: dict[str, Any]) -> str:
    """Return the one line that a phone shows."""
    mark = MARKS.get(str(payload.get("severity")), "ALERT")
    if payload.get("kind") == "resolved":
        mark = "RESOLVED"
    return f"[{mark}] {plain(payload.get('rule', ''))} A-{payload.get('alert')}" + (
        "".join(f" {name}={text}" for name, text in _labels(payload))
    )


def lines(payload: dict[str, Any]) -> list[str]:
    """Return subject, evidence in a line, since when, and the commands to type."""
    found = [subject(payload), plain(payload.get("summary", ""), 2 * LONGEST)]
    if since := payload.get("since"):
        found.append(f"since {since}")
    # The commands are ours, but labels are in them.
    found += [f"next: {plain(command)}" for command in payload.get("next", [])]
    if link := payload.get("link"):
        found.append(str(link))
    return [line for line in found if line]


def _labels(payload: dict[str, Any]) -> Iterator[tuple[str, str]]:
    labels = payload.get("labels") or {}
    for name in sorted(labels, key=lambda name: (name != "agent", name != "run", name)):
        yield plain(name, 40), plain(labels[name], 60)
