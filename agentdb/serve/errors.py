"""What a request meets in place of its commit."""

from __future__ import annotations

from ..intake.refused import Refused as Refused


class Busy(Refused):
    """Nothing was accepted, and the same request may be accepted later."""

    status = 503


class Away(Busy):
    """The database does not answer."""


class Full(Busy):
    """More waits for the database than may wait."""
