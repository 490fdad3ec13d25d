"""Pushes alerts to an Alertmanager, whose owners keep their routes and silences."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

from ..secret.reference import resolve, resolve_target
from .channel import Channel, Notification, Outcome
from .post import Poster
from .text import LONGEST, MARKS, plain

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
        body = json.dumps(alerts(notification)).encode()
        return await self._poster.post(target, body, headers)

    async def close(self) -> None:
        """Close the client."""
        await self._poster.close()


def alerts(notification: Notification) -> list[dict[str, Any]]:
    """Return what to push: an end is that of every severity the alert may have had."""
    found = alert(notification)
    if notification.kind != "resolved" or "severity" not in found["labels"]:
        return [found]
    others = [each for each in MARKS if each != found["labels"]["severity"]]
    return [found] + [
        found | {"labels": found["labels"] | {"severity": each}} for each in others
    ]


def alert(notification: Notification) -> dict[str, Any]:
    """Return the alert in Alertmanager's words; the same labels resolve it."""
    payload = notification.payload
    now = datetime.now(timezone.utc)
    ends = now if notification.kind in ("resolved", "test") else now + LASTS
    # By a clock that is behind the database's it would end before it began: refused.
    if since := payload.get("since"):
        ends = max(ends, datetime.fromisoformat(since.replace("Z", "+00:00")))
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
        "says_it_works_for": plain(payload.get("on_behalf_of") or "", 100),
        "diagnosis": "\n".join(plain(x) for x in payload.get("diagnosis") or []),
        "remedy": "\n".join(plain(line) for line in payload.get("remedy") or []),
        "ends_when": plain(payload.get("ends_when") or ""),
        "next": "\n".join(plain(command) for command in payload.get("next", [])),
    }
    found = {
        "labels": labels | given,
        "annotations": {name: text for name, text in annotations.items() if text},
        "endsAt": ends.isoformat(),
    }
    if link := payload.get("link"):
        found["generatorURL"] = link
    return found | ({"startsAt": since} if since else {})


def _name(name: str) -> str:
    """Return a label name as Prometheus allows it."""
    kept = re.sub("[^a-zA-Z0-9_]", "_", name)
    return kept if kept and not kept[0].isdigit() else f"_{kept}"
