"""Keeps a runner going in a thread of its own, for programs that do other things."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import TextIO

from ..config import Config, Settings
from . import Runner


class BackgroundRunner:
    """A runner that works from `with` to its end; `stream` gets its stdout channel."""

    def __init__(
        self, dsn: str, *, stream: TextIO | None = None, poll: float = 1
    ) -> None:
        config = Config({"database": dsn}, Settings(poll=poll))
        self._runner = Runner(config, stream=stream)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="runner")

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._runner.run())
        finally:
            self._loop.close()

    def __enter__(self) -> BackgroundRunner:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finish what is in flight, then end."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._runner.stop)
        self._thread.join()
