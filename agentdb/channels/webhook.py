"""Posts notifications as JSON, signed, to an HTTP endpoint."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from ..secret.reference import resolve, resolve_target
from .channel import Channel, Notification, Outcome
from .post import Poster


class Webhook(Channel):
    """HTTP POST of the payload as it is, with an idempotency key."""

    def __init__(self) -> None:
        self._poster = Poster()

    async def send(self, notification: Notification) -> Outcome:
        """Post once."""
        target = resolve_target(notification.target)
        body = json.dumps(notification.payload, separators=(",", ":")).encode()
        return await self._poster.post(target, body, _headers(notification, body))

    async def close(self) -> None:
        """Close the client."""
        await self._poster.close()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what the header Agentdb-Signature must hold."""
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _headers(notification: Notification, body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    headers = {
        "Idempotency-Key": str(notification.idempotency_key),
        "Agentdb-Attempt": str(notification.attempt),
        "Agentdb-Timestamp": timestamp,
    }
    if notification.secret_ref:
        secret = resolve(notification.secret_ref)
        headers["Agentdb-Signature"] = signature(secret, timestamp, body)
    return headers
