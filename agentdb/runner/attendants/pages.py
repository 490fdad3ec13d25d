"""Serves three pages about the runner: /healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio

from ... import __version__
from ...exposition import KIND, line
from ...secret.redact import clean
from ..logs import log

if TYPE_CHECKING:
    from ..runner import Runner

# For the whole of one request.
DEADLINE = 2.0
LONGEST_REQUEST = 8192
MOST_AT_ONCE = 32
AGAIN_AFTER = 5.0
# What a client may do to its own request.
HARMLESS = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
JSON = "application/json"


async def attend(runner: Runner) -> None:
    """Serve where the configuration says, anew after each reload."""
    while True:
        health = runner.config.health
        if health.address is None:
            await runner.reloaded.wait()
            continue
        try:
            server = await asyncio.start_server(
                _Pages(runner).serve, *health.place, limit=LONGEST_REQUEST
            )
        except OSError as error:
            log(logging.ERROR, "pages not served", error=error.strerror)
            await anyio.sleep(AGAIN_AFTER)
            continue
        try:
            while runner.config.health == health:
                await runner.reloaded.wait()
        finally:
            server.close()


class _Pages:
    """Answers one request a connection; asks no database, so that none delays it."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._free = asyncio.Semaphore(MOST_AT_ONCE)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer and close."""
        try:
            with anyio.move_on_after(DEADLINE), suppress(*HARMLESS):
                async with self._free:
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._answer(head))
                    await writer.drain()
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.decode("latin-1").partition(" ")
        page = self._pages().get(rest.partition(" ")[0].partition("?")[0])
        status, kind, body = page or (404, JSON, '{"error": "not found"}\n')
        if method not in ("GET", "HEAD"):
            status, kind, body = 405, JSON, '{"error": "only GET"}\n'
        content = clean(body).encode()
        lines = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(content)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
            "\r\n",
        )
        return "\r\n".join(lines).encode() + (b"" if method == "HEAD" else content)

    def _pages(self) -> dict[str, tuple[int, str, str]]:
        watches = self._runner.watches.items()
        well = all(watch.state.signs.well for _, watch in watches)
        ready = all(watch.state.signs.ready for _, watch in watches)
        found = {
            name: {
                "ready": watch.state.signs.ready,
                "late": {k: round(v, 1) for k, v in watch.state.signs.late().items()},
                "not_recorded": len(watch.marks),
                "later_release": watch.state.signs.newer,
                "nothing_sent": watch.state.foreign,
            }
            for name, watch in watches
        }
        body = json.dumps({"ok": well, "databases": found}) + "\n"
        return {
            "/healthz": (200 if well else 503, JSON, body),
            "/readyz": (200 if ready else 503, JSON, body),
            "/metrics": (200, KIND, "\n".join(_metrics(self._runner)) + "\n"),
        }


def _metrics(runner: Runner) -> Iterator[str]:
    """Return the numbers in Prometheus' text format."""
    yield "# HELP agentdb_runner_info The release that runs."
    yield "# TYPE agentdb_runner_info gauge"
    yield line("agentdb_runner_info", 1, version=__version__, runner=runner.name)
    yield "# HELP agentdb_config_reloads_total Configurations read anew."
    yield "# TYPE agentdb_config_reloads_total counter"
    for outcome, count in runner.reloads.items():
        yield line("agentdb_config_reloads_total", count, outcome=outcome)
    yield "# HELP agentdb_loop_silent_seconds Since a loop last succeeded."
    yield "# TYPE agentdb_loop_silent_seconds gauge"
    for name, watch in runner.watches.items():
        for loop, age in watch.state.signs.ages().items():
            yield line("agentdb_loop_silent_seconds", age, database=name, loop=loop)
    yield "# HELP agentdb_deliveries_total Attempts to deliver."
    yield "# TYPE agentdb_deliveries_total counter"
    for name, watch in runner.watches.items():
        for (receiver, outcome), count in sorted(watch.state.counts.items()):
            yield line(
                "agentdb_deliveries_total",
                count,
                database=name,
                receiver=receiver,
                outcome=outcome,
            )
    yield "# HELP agentdb_outcomes_not_recorded Deliveries the database does not know."
    yield "# TYPE agentdb_outcomes_not_recorded gauge"
    for name, watch in runner.watches.items():
        yield line("agentdb_outcomes_not_recorded", len(watch.marks), database=name)
