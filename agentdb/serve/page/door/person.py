"""Who reads the page, and what they may do there."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Person:
    """A person, as the way in proves it, and the database role that decides."""

    subject: str
    #: None for a viewer, whom nobody has mapped.
    role: str | None
    #: link, proxy, database, oidc or socket.
    mode: str
    #: Of view, respond (kill, acknowledge) and approve.
    can: frozenset[str] = field(default_factory=frozenset)
    #: Whether it reads all pages, and not those of changes and questions alone.
    reads: bool = True

    @property
    def name(self) -> str:
        """Return what the page calls them."""
        return self.role or self.subject


def rights(respond: bool, approve: bool) -> frozenset[str]:
    """Return what somebody can who is let in."""
    found = {"view"}
    if respond:
        found.add("respond")
    if approve:
        found.add("approve")
    return frozenset(found)


class NoIdentity(Exception):
    """An issuer has not said who it is, or not so that it can be believed."""
