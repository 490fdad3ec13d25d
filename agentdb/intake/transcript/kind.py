"""Which transcript a file is, by its first lines."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from ..event import objects
from . import claude, codex, gemini

Transcript = claude.Transcript | codex.Transcript | gemini.Transcript


def transcript_of(lines: Iterable[bytes]) -> Transcript | None:
    """Return what reads lines like these, None where they are no transcript's."""
    for first in islice(objects(lines), 10):
        if codex.is_of(first):
            return codex.Transcript()
        if gemini.is_of(first):
            return gemini.Transcript()
        if claude.is_of(first):
            return claude.Transcript()
    return None
