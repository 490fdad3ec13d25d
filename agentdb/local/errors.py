"""What goes wrong with a local server."""

from __future__ import annotations


class LocalServerError(RuntimeError):
    """The local server could not be started."""
