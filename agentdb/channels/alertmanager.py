"""Pushes alerts to an Alertmanager, whose owners keep their routes and silences."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

from .channel import Channel, Notification, Outcome
from .post import Poster
from .reference import resolve, resolve_target
from .text import LONGEST, plain

# An alert that nobody renews ends there; ours is told once.
LASTS = timedelta(days=30)


class Alertmanager(Channel):
    """POST /api/v2/alerts; `secret_ref` is a bearer token, where one is needed."""

    def __init__(self) -> None:
        self._poster = Poster()

    async def send(self, notification: Notification) -> Outcome:
        """Push one alert, firing or resolved."""
        target = resolve_target(notification.target).rstrip("/") + "/api/v2/alerts"
        headers = {}
        if notification.secret_ref:
            headers["Authorization"] = f"Bearer {resolve(notification.secret_ref)}"
        body = json.dumps([alert(notification)]).encode()
        return await self._poster.post(target, body, headers)

    async def close(self) -> None:
        """Close the client."""
        await self._poster.close()


def alert(notification: Notification) -> dict[str, Any]:
    """Return the alert in Alertmanager's words; the same labels resolve it."""
    payload = notification.payload
    now = datetime.now(timezone.utc)
    ends = now if notification.kind in ("resolved", "test") else now + LASTS
    labels, given = {}, {"alertname": "agentdb", "agentdb": notification.dedup_key}
    # The members of a group change, and with them what they have in common.
    if not payload.get("group"):
        labels = {
            _name(name): plain(text)
            for name, text in (payload.get("labels") or {}).items()
        }
        given["alertname"] = str(payload.get("rule") or "agentdb")
        given["severity"] = str(payload.get("severity", "warning"))
    annotations = {
        "summary": plain(payload.get("summary", ""), 2 * LONGEST),
        "next": "\n".join(plain(command) for command in payload.get("next", [])),
    }
    found = {
        "labels": labels | given,
        "annotations": {name: text for name, text in annotations.items() if text},
        "endsAt": ends.isoformat(),
    }
    return found | ({"startsAt": payload["since"]} if payload.get("since") else {})


def _name(name: str) -> str:
    """Return a label name as Prometheus allows it."""
    kept = re.sub("[^a-zA-Z0-9_]", "_", name)
    return kept if kept and not kept[0].isdigit() else f"_{kept}"
