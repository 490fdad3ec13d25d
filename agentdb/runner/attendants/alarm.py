"""Reports a database that is out of reach: from memory, since it cannot be asked."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from math import inf
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio

from ...channels import Notification
from ...config import Fallback
from ..logs import log
from ..tick import until_tick

if TYPE_CHECKING:
    from ..runner import Runner
    from ..watch import Watch

LOOK_EVERY = 1.0
PATIENCE = Fallback.after
REPEAT_EVERY = 900.0
AGAIN_AFTER = 15.0


async def attend(runner: Runner) -> None:
    """Tell the fallback of each database that cannot be watched, and when it can."""
    alarms: dict[str, Alarm] = {}
    while True:
        async with anyio.create_task_group() as tasks:
            for name, watch in runner.watches.items():
                alarm = alarms.setdefault(name, Alarm(name))
                tasks.start_soon(alarm.look, runner, watch)
        await anyio.sleep(until_tick(LOOK_EVERY))


class Alarm:
    """What is reported of one database; what could not be sent is tried again."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._told_at: float | None = None
        self._pending: Notification | None = None
        self._try_at = -inf

    async def look(self, runner: Runner, watch: Watch) -> None:
        """Report what is due now."""
        fallback = runner.config.fallback
        self._decide(watch, fallback.after if fallback else PATIENCE)
        now = time.monotonic()
        if self._pending is None or now < self._try_at:
            return
        self._try_at = now + AGAIN_AFTER
        self._pending = replace(self._pending, attempt=self._pending.attempt + 1)
        if await _send(runner, self._pending):
            self._told_at = None if self._pending.kind == "resolved" else now
            self._pending = None

    def _decide(self, watch: Watch, patience: float) -> None:
        # What is sent of a copy would be taken for the original's.
        late = {} if watch.state.foreign else watch.state.signs.late(patience)
        kind = self._pending.kind if self._pending else None
        if late:
            silent = time.monotonic() - (self._told_at or -inf)
            if kind != "firing" and silent >= REPEAT_EVERY:
                self._pending = _notification(self._database, watch, late)
                self._try_at = -inf
        elif self._told_at is None:
            self._pending = None
        elif kind != "resolved":
            self._pending = _notification(self._database, watch, {})
            self._try_at = -inf


async def _send(runner: Runner, notification: Notification) -> bool:
    """Log it, and send it where a fallback is configured; tell whether it is done."""
    fine = notification.kind == "resolved"
    log(
        logging.WARNING if fine else logging.CRITICAL,
        "database watched again" if fine else "database not watched",
        database=notification.payload["labels"]["database"],
        summary=notification.payload["summary"],
    )
    if (fallback := runner.config.fallback) is None:
        return True
    outcome = await runner.channels.deliver(
        replace(
            notification,
            channel=fallback.channel,
            target=fallback.target,
            secret_ref=fallback.secret_ref,
        ),
        deadline=runner.config.runner.deadline,
        trusted=True,
    )
    if outcome.error:
        log(logging.ERROR, "fallback not reached", error=outcome.error)
    return outcome.error is None or outcome.permanent


def _notification(database: str, watch: Watch, late: dict[str, float]) -> Notification:
    """Return what is told; the same words of a database open and close one incident."""
    summary = f"the runner watches database {database} again"
    since = datetime.now(timezone.utc)
    if late:
        since -= timedelta(seconds=max(late.values()))
        summary = (
            f"database {database} is not watched: no success of {', '.join(late)} "
            f"for {max(late.values()):.0f} s; {watch.state.signs.why()}"
        )
    kind = "firing" if late else "resolved"
    payload = {
        "version": 1,
        "kind": kind,
        "rule": "database_not_watched",
        "severity": "critical",
        "labels": {"database": database, "runner": watch.state.name},
        "summary": summary,
        "since": f"{since:%Y-%m-%dT%H:%M:%SZ}",
        "annotations": {},
        "next": ["agentdb check", "agentdb doctor"],
    }
    return Notification(
        notification_id=0,
        attempt=0,
        receiver_name="fallback",
        channel="",
        target=None,
        secret_ref=None,
        idempotency_key=uuid4(),
        kind=kind,
        dedup_key=f"agentdb/{database}/not-watched",
        payload=payload,
    )
