"""What a run is advised: told in full, and once for each kind of it."""

from __future__ import annotations

import re
from collections import deque

# So many kinds are remembered as told; they name tools and locks.
REMEMBERED = 32


class Advice:
    """The advice of one run as it was heard last, and which kinds of it were told."""

    def __init__(self) -> None:
        #: What the last evaluation has to say, None where that is nothing.
        self.text: str | None = None
        self._told: deque[str] = deque(maxlen=REMEMBERED)

    def hear(self, text: str | None) -> None:
        """Take over what there is to say; where it is nothing, what comes is new."""
        self.text = text or None
        if self.text is None:
            self._told.clear()

    def once(self) -> str | None:
        """Return what there is to say where nothing of its kind was told yet."""
        if self.text is None or _kind(self.text) in self._told:
            return None
        self.told()
        return self.text

    def told(self) -> None:
        """Take what there is to say as told: it was, in other words."""
        if self.text is not None:
            self._told.append(_kind(self.text))


def _kind(advice: str) -> str:
    """Return advice without its numbers, which alter as long as it lasts."""
    return re.sub(r"[0-9][0-9.:%-]*", "", advice)
