"""Writes a run as JSON, every value of it."""

from __future__ import annotations

from dataclasses import asdict

from ..value import json_of
from .story import Story


def render(*stories: Story) -> str:
    """Return one run as an object, several as a list of them."""
    told = [asdict(story) for story in stories]
    return json_of(told[0] if len(told) == 1 else told, indent=2) + "\n"
