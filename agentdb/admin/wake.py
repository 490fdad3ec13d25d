"""Wakes who listens, after the commit and in a transaction of its own.

Anybody can fill the queue of NOTIFY, and then it fails: what it would tell is committed
already, and everybody polls as well.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg


def wake(connection: psycopg.Connection[Any], channel: str, payload: str = "") -> None:
    """Notify a channel on a connection that commits each statement."""
    with suppress(psycopg.Error):
        connection.execute("select pg_notify(%s::text, %s::text)", [channel, payload])
