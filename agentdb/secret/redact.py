"""Keeps secrets out of all that a process writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

INSTEAD = "[secret]"
# Anything shorter would blank out ordinary words.
SHORTEST = 5
# Services put tokens into paths; words of a path are shorter.
SHORTEST_PART = 16

_secrets: set[str] = set()
_pattern: re.Pattern[str] | None = None


def keep(secret: str) -> str:
    """Return a secret that from now on nothing we write shows, nor parts of it."""
    global _pattern
    fresh = {form for form in _forms(secret) if len(form) >= SHORTEST} - _secrets
    if fresh:
        _secrets.update(fresh)
        longest_first = sorted(_secrets, key=len, reverse=True)
        _pattern = re.compile("|".join(map(re.escape, longest_first)))
    return secret


def clean(text: str) -> str:
    """Return text without secrets."""
    return _pattern.sub(INSTEAD, text) if _pattern else text


def _forms(secret: str) -> Iterator[str]:
    """Return a secret and its parts in the ways that they are written down."""
    for part in (secret, *_parts(secret)):
        yield part
        yield quote(part, safe="")
        yield json.dumps(part)[1:-1]
        yield repr(part)[1:-1]


def _parts(secret: str) -> Iterator[str]:
    """Return what of an address opens doors by itself."""
    try:
        place = urlsplit(secret)
        password = place.password
    except ValueError:
        return
    if not place.netloc:
        return
    yield password or ""
    yield unquote(password or "")
    for _, value in parse_qsl(place.query):
        yield value
    for part in place.path.split("/"):
        if len(part) >= SHORTEST_PART:
            yield part
    if place.query:
        yield f"{place.path}?{place.query}"
