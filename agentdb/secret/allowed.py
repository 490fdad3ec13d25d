"""Which secrets a row of the database may have the runner read, and where they may go.

Whoever can write the table of receivers must not be able to read this machine, nor to
have a password of one service sent to another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from .reference import REFERENCE
from .refused import Refused

ANYWHERE = "*"


class Allowed:
    """References by name, each with the beginnings of the targets it may be sent to."""

    def __init__(self, places: Mapping[str, Sequence[str]] | None = None) -> None:
        self._places = dict(places or {})

    def replace(self, places: Mapping[str, Sequence[str]]) -> None:
        """Allow these from now on, and no other."""
        self._places = dict(places)

    def check_target(self, target: str | None) -> None:
        """Raise `Refused` where a target is a reference that is not listed."""
        if target and REFERENCE.match(target):
            self._places_of(target)

    def check(self, target: str | None, secret_ref: str | None) -> None:
        """Raise `Refused` where a receiver names what it may not have.

        A receiver without a target has a secret that is itself the address, and may be
        anywhere: what is for one place is not used so.
        """
        self.check_target(target)
        if not secret_ref:
            return
        places = self._places_of(secret_ref)
        if ANYWHERE not in places and not any(
            _begins(target or "", place) for place in places
        ):
            raise Refused(
                f"{secret_ref} may not be sent to the target of this receiver: "
                "[secrets] of the runner's configuration says where it may go"
            )

    def _places_of(self, reference: str) -> Sequence[str]:
        if reference not in self._places:
            raise Refused(
                f"{reference} is not listed in [secrets] of the runner's "
                "configuration, nor in its AGENTDB_SECRETS"
            )
        return self._places[reference]


def _begins(target: str, place: str) -> bool:
    """Whether an address lies below another: hooks.example is not hooks.example.org."""
    if not target.startswith(place):
        return False
    rest = target.removeprefix(place)
    whole = place.endswith("/") or rest[:1] in ("", "/", "?")
    return whole and ".." not in re.split(r"[/\\?#]", _decoded(rest))


def _decoded(text: str) -> str:
    """Return an address as the last of several servers might read it."""
    while (read := unquote(text)) != text:
        text = read
    return text
