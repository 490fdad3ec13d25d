"""Tells a terminal that wants no colours and nothing that moves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

UNKNOWN = 80


def plain() -> bool:
    """Whether NO_COLOR is set (https://no-color.org) or the terminal knows nothing."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def console(*, stderr: bool = False) -> Console:
    """Return a console that shows text as it is, where wanted without any escape."""
    from rich.console import Console

    found = Console(
        stderr=stderr,
        highlight=False,
        emoji=False,
        markup=False,
        force_terminal=False if plain() else None,
    )
    # Where COLUMNS is 0, nobody knows the width, and nothing would be shown.
    found.width = found.width or UNKNOWN
    return found
