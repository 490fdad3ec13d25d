"""Claims notifications, delivers them, and records what became of them."""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import anyio
from anyio.abc import TaskGroup

from ...channels import Channels, Notification
from ...channels.link import linked
from ...evidence import find
from ..loop import Loop
from ..session import ANSWER, Lost, Session
from ..state import State
from .bucket import Buckets
from .marks import Marks

# Columns by name: a runner may meet a newer release that returns more.
CLAIM = """
select
  notification_id, attempt, receiver_name, channel, target, secret_ref,
  idempotency_key, kind, dedup_key, payload
from agentdb.claim_notification(
  runner_name => %(name)s::text,
  max_notifications => %(batch)s::integer,
  lease => %(lease)s::interval,
  skip => %(skip)s::text[])
"""


# As many rows behind an alert as one reads on a phone.
MOST_EVIDENCE = 2


async def _shown(session: Session, notification: Notification) -> Notification:
    """Return the notification with rows that show its alert."""
    payload = notification.payload
    if notification.kind != "firing" or not payload.get("alert"):
        return notification
    async with session.answering(ANSWER):
        found = await find(session.connection, payload["alert"], MOST_EVIDENCE)
    return replace(notification, payload={**payload, "evidence": found.lines()})


CHECK_IN = "select agentdb.check_in(%(site)s::text, %(address)s::text)"
HERE = ("localhost", "127.0.0.1", "::1")


def _address(session: Session) -> str:
    """Return where the database is, for whoever is elsewhere too.

    Of several hosts it does not matter which one answers.
    """
    given = session.connection.info.get_parameters()
    hosts = [
        socket.gethostname() if not h or h.startswith(("/", "@")) or h in HERE else h
        for h in given.get("host", "").split(",")
    ]
    return f"{','.join(hosts)}:{given.get('port', 5432)}/{given.get('dbname', '')}"


class Send(Loop):
    """Delivers side by side; each receiver has slots and a bucket of its own."""

    name = "send"

    def __init__(
        self,
        state: State,
        channels: Channels,
        marks: Marks,
        buckets: Buckets,
        tasks: TaskGroup,
    ) -> None:
        super().__init__(state)
        self._marks = marks
        self._buckets = buckets
        self._channels = channels
        self._tasks = tasks
        self._busy: Counter[str] = Counter()
        self._proven = False

    async def start(self, session: Session) -> None:
        """Speak for this installation only; do not wait in the first lap then."""
        self._proven = False
        self.state.foreign = await session.value(
            CHECK_IN, {"site": self.state.settings.site, "address": _address(session)}
        )
        if self.state.foreign:
            raise Lost(self.state.foreign)

    async def lap(self, session: Session) -> None:
        """Record what is done, claim what there are slots for, and wait."""
        self.state.wake.clear()
        await self._marks.write(session)
        while not self.state.stopping.is_set():
            claimed = await self._claim(session)
            for notification in claimed:
                self._busy[notification.receiver_name] += 1
                self._buckets.take(notification.receiver_name, notification.channel)
                self._tasks.start_soon(self._deliver, notification)
            # In a storm too an outcome is on record long before its lease ends.
            await self._marks.write(session)
            if len(claimed) < self.state.settings.batch:
                break
        if not self._proven:
            self._proven = True
            return
        waits = self._buckets.waits().values()
        with anyio.move_on_after(min((self.state.until_poll(), *waits))):
            await self.state.wake.wait()

    async def _claim(self, session: Session) -> list[Notification]:
        settings = self.state.settings
        full = settings.slots - settings.batch
        busy = {name for name, count in self._busy.items() if count > full}
        rows = await session.rows(
            CLAIM,
            {
                "name": self.state.name,
                "batch": settings.batch,
                "lease": timedelta(seconds=settings.lease),
                "skip": sorted(busy | self._buckets.waits().keys()),
            },
        )
        return [
            linked(
                await _shown(session, Notification(**row)),
                settings.public_url,
                self.state.database,
            )
            for row in rows
        ]

    async def _deliver(self, notification: Notification) -> None:
        try:
            outcome = await self._channels.deliver(
                notification, deadline=self.state.settings.deadline
            )
            self._marks.add(notification, outcome)
            became = "failed" if outcome.error else "sent"
            self.state.counts[notification.receiver_name, became] += 1
        finally:
            self._busy[notification.receiver_name] -= 1
            self.state.wake.set()
