"""What the adapters share."""

from __future__ import annotations

import json
import re
from typing import Any

from ..client import AsyncRun, Run

# What is no text, and what it counts for in characters.
DATA, PICTURE = re.compile(r"[A-Za-z0-9+/=_-]{4000,}"), 6000
UNKNOWN = "the agent has no such tool"


def run_of(run: Run | AsyncRun) -> Run:
    """Return the run that waits, of either kind."""
    return run.sync if isinstance(run, AsyncRun) else run


def arguments(given: Any) -> Any:
    """Return arguments as the value that they are, where a model sent them as text."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        return given


def estimate(messages: Any) -> int:
    """Return about how many tokens a prompt has: four characters are one.

    A picture or a document is not paid for by the characters that it is sent as.
    """
    return len(DATA.sub(" " * PICTURE, str(messages))) // 4
