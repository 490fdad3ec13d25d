"""What a request meets in place of its commit."""

from __future__ import annotations


class Refused(Exception):
    """The request is answered with `status` and what was wrong."""

    status = 400

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status or self.status


class Busy(Refused):
    """Nothing was accepted, and the same request may be accepted later."""

    status = 503


class Away(Busy):
    """The database does not answer."""


class Full(Busy):
    """More waits for the database than may wait."""
