"""Runs a program of the runner's configuration for each notification."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ..process.program import ENVIRONMENT, call
from ..secret.reference import resolve
from .channel import Channel, Notification, Outcome, Refused

# What sysexits.h calls a failure that may pass.
TEMPORARY = 75


class Execute(Channel):
    """`target` names a program that the runner's own file allows, never a command.

    Who can write the table of receivers must not be able to run what they like here.
    """

    def __init__(self, programs: Mapping[str, Sequence[str]]) -> None:
        self._programs = programs

    async def send(self, notification: Notification) -> Outcome:
        """Run it with the payload on standard input; 0 is a delivery, 75 try again."""
        name = notification.target or ""
        if name not in self._programs:
            raise Refused(f"no program {name} is configured here")
        environment = {
            **ENVIRONMENT,
            "AGENTDB_IDEMPOTENCY_KEY": str(notification.idempotency_key),
            "AGENTDB_DEDUP_KEY": notification.dedup_key,
            "AGENTDB_KIND": notification.kind,
            "AGENTDB_ATTEMPT": str(notification.attempt),
        }
        if notification.secret_ref:
            environment["AGENTDB_SECRET"] = resolve(notification.secret_ref)
        try:
            status, *_ = await call(
                self._programs[name],
                json.dumps(notification.payload).encode(),
                environment,
            )
        except OSError as error:
            raise Refused(f"{name}: {error.strerror}") from None
        if status == 0:
            return Outcome()
        return Outcome(
            error=f"{name} ended with status {status}",
            permanent=0 < status != TEMPORARY,
        )
