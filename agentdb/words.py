"""Says in words how many there are, and what became of them."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """Return a number of things."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def freed(locks: int, reservations: int, changes: int) -> str:
    """Return what the end of a run frees, in words."""
    return (
        f"{counted(locks, 'lock')} freed, "
        f"{counted(reservations, 'reservation')} cancelled, "
        f"{counted(changes, 'change')} withdrawn"
    )
