"""Where the page of `agentdb serve` shows what a notification is about."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote, urlsplit

from .channel import Notification

# One runner may watch several databases, each with a page of its own.
DATABASE = "{database}"


def is_base(url: str) -> bool:
    """Whether a text is an address of web pages, as it is given in public_url."""
    try:
        place = urlsplit(url.replace(DATABASE, "database"))
    except ValueError:
        return False
    return (
        place.scheme in ("http", "https")
        and bool(place.hostname)
        and not (place.query or place.fragment)
        and url.isprintable()
        and " " not in url
    )


def linked(notification: Notification, base: str | None, database: str) -> Notification:
    """Return the notification with the address of its alert, or of its group."""
    if base is None:
        return notification
    payload = notification.payload
    url = base.replace(DATABASE, quote(database, safe="")).rstrip("/")
    if payload.get("alert"):
        url += f"/alert/{payload['alert']}"
    elif payload.get("group"):
        url += f"/group/{str(payload['group']).removeprefix('G-')}"
    return replace(notification, payload={**payload, "link": url})
