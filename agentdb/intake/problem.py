"""What could not be understood, counted by its kind until it is written down."""

from __future__ import annotations

import json
from typing import Any

# Kinds that wait; of more than these a peer can make up, only some are seen.
MOST = 1000
SAMPLE = 4000


class Problems:
    """Problems by agent, path, emitter and reason: each with one sample."""

    def __init__(self) -> None:
        self._found: dict[tuple[str | None, str, str, str], dict[str, Any]] = {}

    def add(
        self, agent: str | None, path: str, emitter: str, reason: str, sample: object
    ) -> None:
        """Note a problem; `reason` names the kind, the sample shows it."""
        key = (agent, path, emitter[:200], reason[:200])
        if found := self._found.get(key):
            found["count"] += 1
        elif len(self._found) < MOST:
            self._found[key] = {
                "agent": agent,
                "path": path,
                "emitter": key[2],
                "reason": key[3],
                "sample": _text(sample)[:SAMPLE],
                "count": 1,
            }

    def take_over(self, others: Problems) -> None:
        """Note what was noted elsewhere, and leave nothing there."""
        while found := others.take():
            self.back(found)

    def take(self) -> dict[str, Any] | None:
        """Return a problem that is written down next, if there is one."""
        for key in self._found:
            return self._found.pop(key)
        return None

    def back(self, problem: dict[str, Any]) -> None:
        """Keep a problem that was taken."""
        key = (problem["agent"], problem["path"], problem["emitter"], problem["reason"])
        if found := self._found.get(key):
            found["count"] += problem["count"]
        elif len(self._found) < MOST:
            self._found[key] = problem


def _text(sample: object) -> str:
    if isinstance(sample, str):
        return sample
    try:
        return json.dumps(sample, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return str(sample)
