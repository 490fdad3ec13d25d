"""Reaches some 130 services through the library Apprise, in a child process.

Its threads hang for ever on a dead target, and it reads answers of any size: only a
process can be ended.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys

from agentdb import extra

from ..process.program import call
from ..secret.reference import resolve
from .channel import Channel, Notification, Outcome, Refused
from .text import lines, subject

CHILD = """
import json, sys, apprise
order = json.load(sys.stdin)
asset = apprise.AppriseAsset(
    app_id="agentdb", app_url="", secure_logging=True, async_mode=False)
for name, value in (("service_timeout", 0), ("http_redirects", False)):
    if hasattr(asset, name):
        setattr(asset, name, value)
target = apprise.Apprise(asset=asset)
if not target.add(order["url"]):
    sys.exit(64)
sent = target.notify(
    title=order["title"], body=order["body"], body_format=apprise.NotifyFormat.TEXT,
    notify_type=order["type"])
sys.exit(0 if sent else 1)
"""
TYPES = {"critical": "failure", "warning": "warning", "info": "info"}
UNKNOWN = 64


class Apprise(Channel):
    """`secret_ref` stands for Apprise's URL, which holds the service's secrets."""

    async def send(self, notification: Notification) -> Outcome:
        """Have one message sent; whether a failure is for good is not known."""
        if importlib.util.find_spec("apprise") is None:
            raise Refused(f"Apprise is not installed: {extra.command('apprise')}")
        if not notification.secret_ref:
            raise Refused("the URL is wanted as secret_ref, env:NAME or file:/path")
        payload = notification.payload
        kind = TYPES.get(str(payload.get("severity")), "info")
        order = {
            "url": resolve(notification.secret_ref),
            "title": subject(payload),
            "body": "\n".join(lines(payload)[1:]),
            "type": "success" if notification.kind == "resolved" else kind,
        }
        status, *_ = await call(
            [sys.executable, "-c", CHILD], json.dumps(order).encode(), os.environ
        )
        if status == UNKNOWN:
            raise Refused(f"{notification.secret_ref} is no URL that Apprise knows")
        # Its output may quote the URL.
        return Outcome(error=None if status == 0 else "the service did not take it")
