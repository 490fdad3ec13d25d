"""The extras of the distribution, and the command that adds one."""

from __future__ import annotations

import shlex
import sys

# The name `agentdb` on the package index is somebody else's.
DISTRIBUTION = "agentdb-pg"


def command(extra: str) -> str:
    """Return the command that adds an extra to the installation that is running.

    Of an installed distribution pip fetches only what the extra asks for.
    """
    return f"{shlex.quote(sys.executable)} -m pip install '{DISTRIBUTION}[{extra}]'"
