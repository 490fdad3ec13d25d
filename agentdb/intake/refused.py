"""What was sent and cannot be taken."""

from __future__ import annotations


class Refused(Exception):
    """The request is answered with `status` and what was wrong."""

    status = 400

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status or self.status
