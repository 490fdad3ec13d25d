"""What an agent's program imports."""

from ..redaction import Redaction
from .agent import Agent
from .aio import AsyncAgent, AsyncRun
from .errors import Advised, BudgetRefused, Busy, Looping, Unreachable
from .held import Held
from .log import Limits
from .run import Run
from .usage import Tokens, Usage

__all__ = [
    "Advised",
    "Agent",
    "AsyncAgent",
    "AsyncRun",
    "BudgetRefused",
    "Busy",
    "Held",
    "Limits",
    "Looping",
    "Redaction",
    "Run",
    "Tokens",
    "Unreachable",
    "Usage",
]
