"""Judges an HTTP answer: delivered, worth another attempt, or hopeless."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from .channel import Outcome

# Request Timeout, Too Early, Too Many Requests.
PASSING = (408, 425, 429)
LONGEST_WAIT = 3600.0


def judge(status: int, headers: Mapping[str, str]) -> Outcome:
    """Return the outcome of an attempt that was answered."""
    if 200 <= status < 300:
        return Outcome(status)
    return Outcome(
        status,
        error=_name(status),
        permanent=status < 500 and status not in PASSING,
        retry_after=retry_after(headers.get("Retry-After"), headers.get("Date")),
    )


def retry_after(value: str | None, sent_at: str | None = None) -> float | None:
    """Return the seconds a receiver asks us to wait, at most an hour.

    A date is measured against the receiver's own clock where it tells it.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_WAIT)
    until = _moment(value)
    if until is None:
        return None
    now = _moment(sent_at) or datetime.now(timezone.utc)
    return min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT)


def _moment(value: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value) if value else None
    except (ValueError, OverflowError):
        return None
    # "-0000" reads as a time without a zone; it means UTC.
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc) if moment else None


def _name(status: int) -> str:
    known = {member.value: f" {member.phrase}" for member in HTTPStatus}
    moved = " (redirects are not followed)" if 300 <= status < 400 else ""
    return f"HTTP {status}{known.get(status, '')}{moved}"
