"""Reads cron expressions: the next start as a moment, whatever the clocks do."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from ..logs import log
from ..session import Session

UNSET = (
    "select agent_id, cron, time_zone, after_at, met_at from agentdb.unset_schedule()"
)
SET = """
select agentdb.set_due(
  agent_id => %(agent_id)s::bigint,
  cron => %(cron)s::text,
  time_zone => %(time_zone)s::text,
  due_at => %(due_at)s::timestamptz,
  met_at => %(met_at)s::timestamptz,
  error => %(error)s::text)
"""


def next_start(cron: str, time_zone: str, after: datetime) -> datetime:
    """Return the first moment after another at which an expression is due.

    A start that falls into the hour that is skipped in spring comes right after it;
    one in the hour that autumn repeats comes once, unless it comes every hour.
    """
    try:
        zone = ZoneInfo(time_zone)
        return next(CronSim(cron, after.astimezone(zone))).astimezone(timezone.utc)
    except CronSimError as error:
        raise ValueError(f"{cron!r} is no cron expression: {error}") from None
    except StopIteration:
        raise ValueError(f"{cron!r} is never due") from None
    except (KeyError, OSError, ValueError):
        raise ValueError(f"there is no time zone {time_zone!r}") from None


async def set_schedules(session: Session) -> int:
    """Store the next start of each schedule that has none; return how many."""
    found = await session.rows(UNSET)
    for row in found:
        due: dict[str, Any] = {"due_at": None, "error": None}
        try:
            due["due_at"] = next_start(row["cron"], row["time_zone"], row["after_at"])
        except ValueError as error:
            due["error"] = str(error)
            log(logging.WARNING, "schedule not read", agent=row["agent_id"], **due)
        await session.rows(SET, {**row, **due})
    return len(found)
