"""Sessions of people: in memory, known by a random cookie, and with an end."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from .own import Own
from .person import Person
from .settings import DoorSettings


@dataclass
class Session:
    """What is remembered of a person between two pages."""

    subject: str
    mode: str
    own: Own | None = None
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    began: float = field(default_factory=time.monotonic)
    seen: float = field(default_factory=time.monotonic)
    flash: list[tuple[str, str]] = field(default_factory=list)
    #: What the person may do, and until when that is believed.
    person: Person | None = None
    believed_until: float = 0.0


class Sessions:
    """All sessions of the server; the one that is unused for longest makes room."""

    def __init__(self, settings: DoorSettings) -> None:
        self._settings = settings
        self._found: OrderedDict[str, Session] = OrderedDict()
        #: Ended, with a connection that is to be closed.
        self.leaving: list[Own] = []

    def __len__(self) -> int:
        return len(self._found)

    def open(self, subject: str, mode: str, own: Own | None = None) -> Session:
        """Begin a session under a name that nobody could know before."""
        mine = [
            s for s in self._found.values() if (s.subject, s.mode) == (subject, mode)
        ]
        for old in mine[: max(0, len(mine) - self._settings.most_of_one + 1)]:
            self.end(old)
        while len(self._found) >= self._settings.most_sessions:
            self.end(next(iter(self._found.values())))
        made = Session(subject, mode, own)
        self._found[made.key] = made
        return made

    def find(self, key: str | None) -> Session | None:
        """Return a session that goes on, now as the one that was used last."""
        found = self._found.get(key or "")
        if found is None:
            return None
        now = time.monotonic()
        if self._is_over(found, now):
            self.end(found)
            return None
        found.seen = now
        self._found.move_to_end(found.key)
        return found

    def end(self, session: Session) -> None:
        """End a session at once."""
        if self._found.pop(session.key, None) and session.own:
            self.leaving.append(session.own)

    def sweep(self) -> None:
        """End those that are over."""
        now = time.monotonic()
        for each in [s for s in self._found.values() if self._is_over(s, now)]:
            self.end(each)

    def end_all(self) -> None:
        """End every session."""
        for each in list(self._found.values()):
            self.end(each)

    def owned(self) -> list[Own]:
        """Return the connections that people have of their own."""
        return [s.own for s in self._found.values() if s.own]

    def _is_over(self, session: Session, now: float) -> bool:
        idle = self._settings.idle
        if session.mode == "database":
            idle = self._settings.idle_database
        return now - session.began > self._settings.longest or now - session.seen > idle
