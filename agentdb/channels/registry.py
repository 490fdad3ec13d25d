"""Knows every channel by name and delivers under one deadline."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TextIO

import anyio

from ..secret.allowed import Allowed
from ..secret.redact import clean
from .channel import PAGERDUTY, Channel, Notification, Outcome, Refused

# Those that are imported when they are first needed.
IMPORTED = {
    "alertmanager": "Alertmanager",
    "apprise": "Apprise",
    "email": "Email",
    "pagerduty": "PagerDuty",
    "webhook": "Webhook",
}
DEFAULTS = {"pagerduty": PAGERDUTY}
CHANNELS = tuple(sorted((*IMPORTED, "exec", "stdout")))


class Channels:
    """The channels of one runner, each opened when it is first needed."""

    def __init__(
        self,
        *,
        stream: TextIO | None = None,
        programs: Mapping[str, Sequence[str]] | None = None,
        secrets: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._stream = stream
        self._programs = dict(programs or {})
        self._secrets = Allowed(secrets)
        self._open: dict[str, Channel] = {}
        self._kinds: dict[str, Callable[[], Channel]] = {
            **{name: _import(name, kind) for name, kind in IMPORTED.items()},
            "exec": self._execute,
            "stdout": self._stdout,
        }

    def allow(
        self,
        programs: Mapping[str, Sequence[str]],
        secrets: Mapping[str, Sequence[str]],
    ) -> None:
        """Run these programs and read these secrets from now on, and no other."""
        self._programs.clear()
        self._programs.update(programs)
        self._secrets.replace(secrets)

    async def deliver(
        self, notification: Notification, *, deadline: float, trusted: bool = False
    ) -> Outcome:
        """Try once to deliver within `deadline` seconds; never raises.

        What the configuration says itself is trusted; a row of the database is not.
        """
        try:
            if not trusted:
                place = notification.target or DEFAULTS.get(notification.channel)
                self._secrets.check(place, notification.secret_ref)
            with anyio.fail_after(deadline):
                outcome = await self._channel(notification.channel).send(notification)
        except TimeoutError:
            outcome = Outcome(error=f"not delivered within {deadline:g} s")
        except Refused as error:
            outcome = Outcome(error=str(error), permanent=True)
        except Exception as error:
            outcome = Outcome(error=_where(error))
        return replace(outcome, error=outcome.error and clean(outcome.error))

    async def close(self) -> None:
        """Close every channel that was opened."""
        while self._open:
            await self._open.popitem()[1].close()

    def _channel(self, name: str) -> Channel:
        if name not in self._kinds:
            raise Refused(f"this release has no channel {name}")
        if name not in self._open:
            self._open[name] = self._kinds[name]()
        return self._open[name]

    def _stdout(self) -> Channel:
        from .stdout import Stdout

        return Stdout(self._stream)

    def _execute(self) -> Channel:
        from .execute import Execute

        return Execute(self._programs)


def _import(module: str, name: str) -> Callable[[], Channel]:
    """Return a maker that imports its channel when it is first needed.

    httpx takes longer to import than the rest of the runner.
    """

    def make() -> Channel:
        found = getattr(import_module(f"agentdb.channels.{module}"), name)()
        assert isinstance(found, Channel)
        return found

    return make


def _where(error: Exception) -> str:
    """Name an unforeseen error and its place; its text might quote a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{place}"
