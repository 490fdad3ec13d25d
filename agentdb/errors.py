"""Names every SQLSTATE of agentdb once: class ZA, which the standard leaves free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .message import Message, read


class AgentdbError(Exception):
    """A condition that agentdb reports; `sqlstate` tells which."""

    sqlstate = "ZA000"

    def __init__(self, message: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.detail = detail
        #: What to do next.
        self.hint = hint

    @property
    def advice(self) -> str:
        """All of it in one text, for a model to read and to act on."""
        return describe(self)


class NoRun(AgentdbError):
    """No run is open, or several are and none was named."""

    sqlstate = "ZA001"


class NotAnAgent(AgentdbError):
    """The login role belongs to no registered agent, or the secret is wrong."""

    sqlstate = "ZA002"


class RunClosed(AgentdbError):
    """The run has ended: nothing can be logged for it any more."""

    sqlstate = "ZA003"


class InvalidArgument(AgentdbError):
    """An argument is missing, ill-formed or out of its range."""

    sqlstate = "ZA004"


class LimitReached(AgentdbError):
    """The policy of the agent allows no more of these."""

    sqlstate = "ZA005"


class NotFound(AgentdbError):
    """No agent, policy, run, call, rule or alert of that name."""

    sqlstate = "ZA006"


class AlreadyExists(AgentdbError):
    """The name is taken."""

    sqlstate = "ZA007"


class AppendOnly(AgentdbError):
    """A log row cannot be changed or removed."""

    sqlstate = "ZA008"


class UnsafeRole(AgentdbError):
    """The login role could get around what an agent must not get around."""

    sqlstate = "ZA009"


class UnsupportedServer(AgentdbError):
    """The server is too old or the database is not in UTF8."""

    sqlstate = "ZA011"


class NotAdopted(AgentdbError):
    """Something under one of our names exists already and is not ours."""

    sqlstate = "ZA012"


class FenceLost(AgentdbError):
    """A run wrote a fenced table and does not hold its lock any more."""

    sqlstate = "ZA020"


class LockInUse(AgentdbError):
    """A transaction that is still open is changing the lock."""

    sqlstate = "ZA021"


class NotAuditable(AgentdbError):
    """The table cannot be audited, or not by this session."""

    sqlstate = "ZA030"


class BlastRadius(AgentdbError):
    """A statement changes more audited rows than the policy of the agent allows."""

    sqlstate = "ZA031"


class TruncateRefused(AgentdbError):
    """The rows that a TRUNCATE would remove cannot be recorded."""

    sqlstate = "ZA032"


class NoHistory(AgentdbError):
    """The log cannot tell what a table or row was at that moment."""

    sqlstate = "ZA033"


class NotOwner(AgentdbError):
    """The session does not own the table whose protection it would suspend."""

    sqlstate = "ZA035"


class Stopped(AgentdbError):
    """An operator or a rule has killed the run or the agent."""

    sqlstate = "ZA040"


class Paused(AgentdbError):
    """An operator or a rule has paused the agent; it goes on when resumed."""

    sqlstate = "ZA041"


class Guarded(AgentdbError):
    """An agent wrote a guarded table directly."""

    sqlstate = "ZA050"


class NotGuardable(AgentdbError):
    """The table cannot be guarded, or changes of it cannot be tried."""

    sqlstate = "ZA051"


class ChangeConflict(AgentdbError):
    """Rows are not what the change expects any more."""

    sqlstate = "ZA052"


class ChangeClosed(AgentdbError):
    """The change is not in the state that the call needs."""

    sqlstate = "ZA053"


class ChangeAltered(AgentdbError):
    """The change is not what was reviewed."""

    sqlstate = "ZA054"


class NotReviewer(AgentdbError):
    """The decision of this session does not count."""

    sqlstate = "ZA055"


class NotUndoable(AgentdbError):
    """What was recorded does not suffice to take it back."""

    sqlstate = "ZA056"


class NotFiring(AgentdbError):
    """The alert is over or never was: nothing to acknowledge or resolve."""

    sqlstate = "ZA075"


class MessageClosed(AgentdbError):
    """The message is being sent, is done, or a later one has overtaken it."""

    sqlstate = "ZA076"


class QuestionClosed(AgentdbError):
    """Somebody has answered the question already, or its run has ended."""

    sqlstate = "ZA077"


BY_SQLSTATE: dict[str, type[AgentdbError]] = {
    error.sqlstate: error for error in AgentdbError.__subclasses__()
}


def from_database(error: BaseException) -> AgentdbError | None:
    """Return our own error for a driver's, or None where it is not one of ours."""
    said = read(error)
    kind = BY_SQLSTATE.get(said.sqlstate) if said else None
    if said is None or kind is None:
        return None
    return kind(said.message, detail=said.detail, hint=said.hint)


@contextmanager
def translated() -> Iterator[None]:
    """Raise our own errors in place of a driver's; all others pass as they are."""
    try:
        yield
    except Exception as error:
        ours = from_database(error)
        if ours is None:
            raise
        raise ours from error


def describe(error: BaseException) -> str:
    """Return what a model or a person needs of an error: message, detail and hint.

    The text of a driver's exception has the CONTEXT besides, a line for each function
    that was at work, which helps nobody to go on.
    """
    if isinstance(error, AgentdbError):
        said: Message | None = Message(
            error.sqlstate, str(error), error.detail, error.hint
        )
    else:
        said = read(error)
    if said is None:
        return str(error).strip()
    parts = (
        f"{said.message} (SQLSTATE {said.sqlstate})",
        said.detail and f"DETAIL: {said.detail}",
        said.hint and f"HINT: {said.hint}",
    )
    return "\n".join(part for part in parts if part)
