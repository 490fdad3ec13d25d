"""Talks to systemd: ready, alive, reloading, stopping."""

from __future__ import annotations

import logging
import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from ..logs import log

if TYPE_CHECKING:
    from ..runner import Runner


def tell(state: str) -> None:
    """Send a state to the service manager, where there is one that asked for it."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place:
        return
    # A name that begins with @ is in Linux's abstract namespace.
    address = "\0" + place[1:] if place.startswith("@") else place
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        out.sendto(state.encode(), address)


def reloading() -> str:
    """Return what announces a reload."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


async def attend(runner: Runner) -> None:
    """Say that we are ready, then feed the watchdog as long as every loop gets on.

    A loop that fails and tries again gets on: to start anew would not bring its
    database back, and what it has not recorded yet would be sent a second time.
    """
    tell("READY=1")
    wanted = os.environ.get("WATCHDOG_USEC", "")
    ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    if not (wanted.isdecimal() and ours):
        return
    while True:
        stuck = [
            f"{name}: {loop}"
            for name, watch in runner.watches.items()
            for loop in watch.state.signs.stuck()
        ]
        if stuck:
            log(logging.CRITICAL, "loops are stuck", loops=stuck)
        else:
            tell("WATCHDOG=1")
        await anyio.sleep(int(wanted) / 1e6 / 3)
