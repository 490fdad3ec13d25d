"""Pings a dead man's switch, which calls somebody once the pings stop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from ...channels import Refused
from ...secret.reference import resolve_target
from ..logs import log

if TYPE_CHECKING:
    from ...channels.post import Poster
    from ..runner import Runner

DEADLINE = 10.0


async def attend(runner: Runner) -> None:
    """Ping as long as every loop at every database succeeds, and not otherwise."""
    poster: Poster | None = None
    try:
        while True:
            given = runner.config.ping
            if given.url and _well(runner):
                poster = poster or _poster()
                await _ping(poster, given.url)
            with anyio.move_on_after(given.every if _well(runner) else 1):
                await runner.reloaded.wait()
    finally:
        if poster:
            with anyio.CancelScope(shield=True):
                await poster.close()


def _well(runner: Runner) -> bool:
    return all(watch.state.signs.well for watch in runner.watches.values())


def _poster() -> Poster:
    # httpx takes longer to import than the rest of the runner.
    from ...channels.post import Poster

    return Poster()


async def _ping(poster: Poster, url: str) -> None:
    try:
        with anyio.fail_after(DEADLINE):
            outcome = await poster.post(resolve_target(url), b"{}")
        error = outcome.error
    except TimeoutError:
        error = f"no answer in {DEADLINE:g} s"
    except Refused as refused:
        error = str(refused)
    if error:
        log(logging.WARNING, "dead man's switch not reached", error=error)
