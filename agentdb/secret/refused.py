"""What is configured in a way that cannot work."""

from __future__ import annotations


class Refused(Exception):
    """A reference resolves to nothing, or a message cannot be sent as configured.

    Trying again is no use.

    The text ends up in the database and in logs: it names references, never values.
    """
