"""What a run refuses by itself: the rest are the classes of agentdb.errors."""

from __future__ import annotations

from ..errors import AgentdbError
from ..message import Message


class BudgetRefused(AgentdbError):
    """A prompt would exceed a budget; the message says which, the hint what to do."""


class Looping(AgentdbError):
    """People were alerted that the run repeats itself; raised once for each alert."""


class Advised(AgentdbError):
    """The last evaluation has something to say to the run; the hint is all of it."""


class Busy(AgentdbError):
    """Another transaction has locked what a call needs; nothing is spent or refused."""

    sqlstate = "55P03"

    @classmethod
    def of(cls, said: Message) -> Busy:
        """Return what the server says; by itself it names no more than a timeout."""
        busy = "busy" in said.message
        return cls(
            said.message if busy else f"busy: {said.message}",
            detail=said.detail,
            hint=said.hint or "This is no refusal: try the same call again.",
        )


class Unreachable(AgentdbError):
    """The database is away, where an answer is needed or the run is to fail closed."""
