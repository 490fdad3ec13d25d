"""What the models behind hooks were told of their advice."""

from __future__ import annotations

from collections import OrderedDict

from ..advice import Advice

# The agent, its conversation, and the subagent.
Session = tuple[str | None, str, str | None]
# What is forgotten beyond that is told again.
SESSIONS = 10_000


class Told:
    """The advice of each session that has some, told once for each kind of it.

    It is known from the question whether a call may be made, so it costs none more.
    """

    def __init__(self) -> None:
        self._sessions: OrderedDict[Session, Advice] = OrderedDict()

    def hear(self, session: Session, text: str | None, *, in_a_no: bool) -> None:
        """Take over a session's advice; a reason why a call is denied has told it.

        Such a reason may as well be about something else: then there is no text.
        """
        if in_a_no and text is None:
            return
        if text is None:
            self._sessions.pop(session, None)
            return
        advice = self._sessions.setdefault(session, Advice())
        self._sessions.move_to_end(session)
        advice.hear(text)
        if in_a_no:
            advice.told()
        while len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)

    def once(self, session: Session) -> str | None:
        """Return what is new to a session's model."""
        found = self._sessions.get(session)
        return found.once() if found else None
