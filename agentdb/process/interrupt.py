"""Tells a Ctrl-C before a commit from one during it, after which nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class InDoubt(KeyboardInterrupt):
    """Ctrl-C came while a transaction was being committed."""


@contextmanager
def committing() -> Iterator[None]:
    """Mark what commits: from here on a Ctrl-C may be too late."""
    try:
        yield
    except InDoubt:
        raise
    except KeyboardInterrupt:
        raise InDoubt from None
