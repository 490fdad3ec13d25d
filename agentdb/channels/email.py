"""Sends notifications by mail: SMTP, with TLS unless the target says otherwise."""

from __future__ import annotations

import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import aiosmtplib
import anyio

from ..secret.reference import resolve, resolve_target
from .channel import Channel, Notification, Outcome, Refused
from .text import lines, subject

PORTS = {"smtps": 465, "smtp": 587}
FAREWELL = 1.0
HERE = ("localhost", "127.0.0.1", "::1")
WANTED = "smtps://user@host/?from=agentdb@example.org&to=team@example.org"


class Email(Channel):
    """`target` is an smtps or smtp URL, `secret_ref` the password of its user.

    smtp means STARTTLS; only `tls=no` sends in clear, for a relay on this machine.
    """

    async def send(self, notification: Notification) -> Outcome:
        """Send one mail."""
        place, query = _parts(resolve_target(notification.target))
        try:
            message = _message(notification, query)
        except ValueError:
            # An address with a line feed, the only text here that nobody has cleaned.
            raise Refused(f"the target is not like {WANTED}") from None
        secure = query.get("tls", ["yes"])[0] != "no"
        if notification.secret_ref and not secure and place.hostname not in HERE:
            raise Refused("tls=no sends a password in clear: to this machine only")
        password = resolve(notification.secret_ref) if notification.secret_ref else None
        client = aiosmtplib.SMTP(
            hostname=place.hostname,
            port=place.port or PORTS[place.scheme],
            username=unquote(place.username) if place.username else None,
            password=password,
            use_tls=secure and place.scheme == "smtps",
            start_tls=secure and place.scheme == "smtp",
            tls_context=_context() if secure else None,
            timeout=None,
        )
        try:
            await client.connect()
            await client.send_message(message)
            # The mail is taken: what the server says to our leave does not count.
            with anyio.move_on_after(FAREWELL), suppress(aiosmtplib.SMTPException):
                await client.quit()
        except aiosmtplib.SMTPException as error:
            return _failed(error)
        except OSError as error:
            return Outcome(error=f"{type(error).__name__}: {error.strerror or ''}")
        finally:
            client.close()
        return Outcome(250)


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _failed(error: aiosmtplib.SMTPException) -> Outcome:
    """Judge by the reply code: 5xx is for good; the text may quote the address."""
    code = getattr(error, "code", None)
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        # As long as one of them may pass, it is worth another attempt.
        code = min((each.code for each in error.recipients), default=None)
    name = type(error).__name__
    return Outcome(
        status=code,
        error=f"{name}: {code}" if code else name,
        permanent=code is not None and 500 <= code < 600,
    )


def _parts(target: str) -> tuple[SplitResult, dict[str, list[str]]]:
    try:
        place = urlsplit(target)
        query = parse_qs(place.query, strict_parsing=True)
        known = place.scheme in PORTS and place.hostname and (place.port or 1)
    except ValueError:
        known, query, place = None, {}, urlsplit("")
    if not known or not query.get("to") or not query.get("from"):
        raise Refused(f"the target is not like {WANTED}")
    return place, query


def _message(notification: Notification, query: dict[str, list[str]]) -> EmailMessage:
    """Return the mail; its thread is the alert, its number the idempotency key."""
    payload: dict[str, Any] = notification.payload
    message = EmailMessage()
    message["From"] = query["from"][0]
    message["To"] = ", ".join(query["to"])
    message["Subject"] = subject(payload)
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{notification.idempotency_key}@agentdb>"
    thread = "".join(c if c.isalnum() else "-" for c in notification.dedup_key)
    message["In-Reply-To"] = message["References"] = f"<{thread}@agentdb>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join(lines(payload)) + "\n")
    return message
