"""What goes wrong with a local server."""

from __future__ import annotations


class LocalServerError(RuntimeError):
    """The local server could not be started."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}\nhint: {hint}" if hint else message)
