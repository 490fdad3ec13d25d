"""What a transcript has gained since the last event; a file keeps how far that was.

What was sent and is sent again is counted once by the database, so the place is kept
after the answer: a crash in between loses nothing.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from typing import Any

from ..intake.transcript.kind import Transcript, transcript_of

# A session that was long when its hooks were installed is caught up with bit by bit.
MOST = 2 * 1024 * 1024
LONGEST = 64 * 1024 * 1024
# Calls in flight; more have lost their results.
MANY = 100
# Of a result the server keeps no more.
RESULT = 256 * 1024


class Tail:
    """The new lines of one transcript."""

    def __init__(self, path: str) -> None:
        self._path = os.path.expanduser(path)
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        name = hashlib.sha256(self._path.encode()).hexdigest()[:32]
        self._place = os.path.join(cache, "agentdb", "hook", name)
        self._next = 0

    def read(self) -> list[dict[str, Any]]:
        """Return the events of the lines that are new and whole."""
        start = self._next = self._former()
        try:
            with open(self._path, "rb", opener=_at_once) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return []
                head = file.readline(MOST)
                size = os.fstat(file.fileno()).st_size
                # Another file under the old name is read anew.
                file.seek(start := start if start <= size else 0)
                data = file.read(MOST)
                while b"\n" not in data and len(data) < LONGEST:
                    more = file.read(MOST)
                    if not more:
                        break
                    data += more
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        transcript = transcript_of([head, *whole.splitlines()[:10]])
        if transcript is None:
            return []
        if start:
            # What the file says of itself, once.
            deque(transcript.events([head]), maxlen=0)
        goes_on = start + len(data) < size
        return self._events(transcript, start, whole.splitlines(keepends=True), goes_on)

    def _events(
        self, transcript: Transcript, start: int, lines: list[bytes], goes_on: bool
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        begun: dict[str, int] = {}
        place = start
        for line in lines:
            found += transcript.events([line])
            for call in transcript.open:
                begun.setdefault(call, place)
            place += len(line)
        # A call without a result is read again, with its result; where that is not in
        # what is read from it on, while there is more, it has lost it.
        waiting = [begun[call] for call in transcript.open if call in begun]
        if goes_on:
            waiting = [each for each in waiting if each > start]
        self._next = place if len(waiting) > MANY else min([place, *waiting])
        return [_short(each) for each in (*found, *transcript.finish(whole=start == 0))]

    def _former(self) -> int:
        try:
            with open(self._place, encoding="ascii") as file:
                return max(0, int(file.read(20)))
        except (OSError, ValueError):
            return 0

    def keep(self) -> None:
        """Remember how far it was read; where that cannot be, it is read again."""
        try:
            os.makedirs(os.path.dirname(self._place), mode=0o700, exist_ok=True)
            new = f"{self._place}.{os.getpid()}"
            with open(new, "w", encoding="ascii") as file:
                file.write(str(self._next))
            os.replace(new, self._place)
        except OSError:
            pass


def _at_once(path: str, flags: int) -> int:
    """Open a file, and wait for nobody at the other end of what is none."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _short(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event whose result is no longer than what is kept of it."""
    if len(result := event.get("result") or "") > RESULT:
        return {**event, "result": result[:RESULT]}
    return event
