"""Findings that only the machine knows: our user, clocks, paths, receivers."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import anyio
import psycopg
from psycopg.rows import dict_row

from ..secret.allowed import Allowed
from ..secret.reference import resolve_target
from ..secret.refused import Refused
from ..verify import look
from ..verify.access import user_name
from .finding import Finding
from .pool import pool

# A notification that is late by less than this surprises nobody.
SKEW = 2.0
DEADLINE = 5.0
PORTS = {"http": 80, "smtp": 587, "smtps": 465}
CLOCK = "select extract(epoch from clock_timestamp())::double precision as now"
PATHS = """
select a.agent_name, a.os_user, p.path, p.want
from agentdb.agent_path as p
join agentdb.agent as a on a.agent_id = p.agent_id
order by a.agent_name, p.path
"""
RECEIVERS = """
select receiver_name, channel, target from agentdb.receiver where enabled
order by receiver_name
"""
NO_USER = "select agentdb.set_os_user('{agent_name}', 'the user it runs as');"


def findings(
    dsn: str,
    *,
    user: str | None = None,
    secrets: Mapping[str, Sequence[str]] | None = None,
) -> list[Finding]:
    """Look at this machine as the database describes it, and at who we are."""
    with psycopg.connect(
        dsn,
        autocommit=True,
        connect_timeout=5,
        prepare_threshold=None,
        row_factory=dict_row,
    ) as connection:
        found = [who(user), _skew(connection)]
        rows = connection.execute(PATHS).fetchall()
        receivers = connection.execute(RECEIVERS).fetchall()
    found += [*pool(dsn), *(_path(**row) for row in rows)]
    return [*found, *_receivers(receivers, Allowed(secrets))]


def who(user: str | None) -> Finding:
    """Say whether we run as the user of the configuration; without one, not as root."""
    name = user_name(os.geteuid())
    if user not in (None, name):
        detail = f"we run as {name}, and the configuration says {user}"
        fix = f"Start it as {user}: User={user} in the unit, or sudo -u {user}."
        return Finding("user", "warning", detail, fix)
    if user is None and os.geteuid() == 0:
        detail = "we run as root, and so does whatever a verifier starts"
        fix = "Run the runner as a user of its own, and name it: [runner] user."
        return Finding("user", "warning", detail, fix)
    return Finding("user", "ok", f"we run as {name}")


def _skew(connection: psycopg.Connection[dict[str, float]]) -> Finding:
    """Compare clocks; the answer took some time, so the middle is meant."""
    before = time.time()
    row = connection.execute(CLOCK).fetchone()
    after = time.time()
    assert row
    skew = row["now"] - (before + after) / 2
    certain = abs(skew) - (after - before) / 2
    detail = f"the database's clock is {skew:+.3f} s from ours"
    if certain > SKEW:
        return Finding("clock", "warning", detail, "Run an NTP client on both sides.")
    return Finding("clock", "ok", detail)


def _path(agent_name: str, os_user: str | None, path: str, want: str) -> Finding:
    check = f"path of {agent_name}"
    if os_user is None:
        fix = NO_USER.format(agent_name=agent_name)
        return Finding(check, "warning", f"{path}: as whom?", fix)
    try:
        found = anyio.run(lambda: look.probe(path, want=want, user=os_user))
    except look.Failed as error:
        detail = f"{path}: cannot look as {os_user}: {error}"
        return Finding(check, "warning", detail, "Run agentdb doctor as root.")
    if found["verdict"] == "ok":
        return Finding(check, "ok", f"{os_user} can {want} {path}")
    fix = found.get("fix") or "Correct the path, or make what is missing."
    return Finding(check, "critical", str(found["detail"]), fix)


def _receivers(rows: list[dict[str, str]], allowed: Allowed) -> Iterator[Finding]:
    for row in rows:
        check = f"receiver {row['receiver_name']}"
        try:
            # As the runner does it: a row is not to have us read this machine.
            allowed.check_target(row["target"])
            place = _place(row["target"])
        except Refused as error:
            # It names the reference, never its value.
            yield Finding(
                check,
                "critical",
                str(error),
                "List it there, and set what it refers to.",
            )
            continue
        if place is None:
            yield Finding(check, "ok", f"by {row['channel']}: nothing to connect to")
            continue
        try:
            socket.create_connection(place, DEADLINE).close()
            yield Finding(check, "ok", f"{row['channel']} can be reached")
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            detail = f"{row['channel']} cannot be reached: {why}"
            yield Finding(check, "critical", detail, "Check name, route and firewall.")


def _place(target: str | None) -> tuple[str, int] | None:
    """Return host and port of a receiver that has them."""
    try:
        parts = urlsplit(resolve_target(target)) if target else None
        if parts is None or not parts.hostname:
            return None
        return parts.hostname, parts.port or PORTS.get(parts.scheme, 443)
    except ValueError:
        # The original quotes the address, perhaps with its password.
        raise Refused("the target is not a URL") from None
