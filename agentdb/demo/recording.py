"""Reads recorded runs: one JSON object an event, in order within a run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

Event: TypeAlias = dict[str, Any]
Recording: TypeAlias = dict[str, list[Event]]

DATA = Path(__file__).with_name("data")


def read(path: Path) -> Recording:
    """Return the runs of a file of events, in the order in which they stand."""
    runs: Recording = {}
    for event in lines(path):
        runs.setdefault(event["run"], []).append(event)
    return runs


def lines(path: Path) -> Iterable[Event]:
    """Yield the objects of a file with one JSON object a line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
