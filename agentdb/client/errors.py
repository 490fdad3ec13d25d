"""What a run refuses by itself: the rest are the classes of agentdb.errors."""

from __future__ import annotations

from ..errors import AgentdbError


class BudgetRefused(AgentdbError):
    """A prompt would exceed a budget; the message says which, the hint what to do."""


class Looping(AgentdbError):
    """People were alerted that the run repeats itself; raised once for each alert."""


class Advised(AgentdbError):
    """The last evaluation has something to say to the run; the hint is all of it."""


class Unreachable(AgentdbError):
    """The database is away, where an answer is needed or the run is to fail closed."""
