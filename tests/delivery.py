"""Sends one notification through a channel."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TextIO
from uuid import UUID

from agentdb.channels import Channels, Notification, Outcome

CANARY = "canary-7f3a"
LONG = 30.0
SHORT = 0.5

NOTIFICATION = Notification(
    notification_id=1,
    attempt=2,
    receiver_name="team",
    channel="webhook",
    target=None,
    secret_ref=None,
    idempotency_key=UUID("8f14e45f-ceea-4e7a-9a5b-6c1d7a3f0b21"),
    kind="firing",
    dedup_key="no_progress/A-41",
    payload={
        "version": 1,
        "kind": "firing",
        "alert": 41,
        "summary": "\u202eevil\u009b",
    },
)


def deliver(
    target: str | None = None, *, deadline: float = LONG, secret: str | None = None
) -> Outcome:
    """Send the notification by webhook, once."""
    return send(
        replace(NOTIFICATION, target=target, secret_ref=secret), deadline=deadline
    )


def named(*notifications: Notification) -> dict[str, tuple[str, ...]]:
    """Return what a runner's configuration lists for these to be delivered."""
    given = [t for n in notifications for t in (n.target, n.secret_ref) if t]
    return {name: ("*",) for name in given if name.startswith(("env:", "file:"))}


def send(
    *notifications: Notification,
    stream: TextIO | None = None,
    deadline: float = LONG,
) -> Outcome:
    """Send notifications one after the other; return the last one's outcome."""

    async def all_of_them() -> Outcome:
        channels = Channels(stream=stream, secrets=named(*notifications))
        try:
            outcomes = [
                await channels.deliver(n, deadline=deadline) for n in notifications
            ]
        finally:
            await channels.close()
        return outcomes[-1]

    return asyncio.run(all_of_them())
