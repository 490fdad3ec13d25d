"""Triggers, acknowledges and resolves incidents through PagerDuty's Events API v2."""

from __future__ import annotations

import json
from typing import Any

from ..secret.reference import resolve, resolve_target
from .channel import PAGERDUTY, Channel, Notification, Outcome, Refused
from .post import Poster
from .text import lines, subject

ACTIONS = {
    "acknowledged": "acknowledge",
    "resolved": "resolve",
    "silenced": "acknowledge",
}
# The limit of the API.
LONGEST_SUMMARY = 1024


class PagerDuty(Channel):
    """`secret_ref` is the routing key; `target` another address than PagerDuty's."""

    def __init__(self) -> None:
        self._poster = Poster()

    async def send(self, notification: Notification) -> Outcome:
        """Send one event; the dedup key makes it about the same incident."""
        if not notification.secret_ref:
            raise Refused("the routing key is wanted as secret_ref")
        target = resolve_target(notification.target or PAGERDUTY)
        body = event(notification, resolve(notification.secret_ref))
        return await self._poster.post(target, json.dumps(body).encode())

    async def close(self) -> None:
        """Close the client."""
        await self._poster.close()


def event(notification: Notification, routing_key: str) -> dict[str, Any]:
    """Return the event in PagerDuty's words."""
    payload = notification.payload
    action = ACTIONS.get(notification.kind, "trigger")
    found: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": notification.dedup_key[:255],
    }
    if action == "trigger":
        found["payload"] = {
            "summary": " ".join(lines(payload)[:2])[:LONGEST_SUMMARY],
            "source": "agentdb",
            "severity": payload.get("severity", "warning"),
            "class": str(payload.get("rule") or ""),
            "custom_details": {
                "text": "\n".join(lines(payload)),
                "subject": subject(payload),
                "diagnosis": payload.get("diagnosis") or [],
                "remedy": payload.get("remedy") or [],
                "ends_when": payload.get("ends_when"),
                "labels": payload.get("labels", {}),
                "says_it_works_for": payload.get("on_behalf_of"),
            },
        }
        if link := payload.get("link"):
            found["client"], found["client_url"] = "agentdb", link
            found["links"] = [{"href": link, "text": "agentdb: look and act"}]
    return found
