"""LiteLLM: `litellm.callbacks = [Recorded(run)]`."""

from __future__ import annotations

from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from ..client import AsyncRun, Run, Usage
from ..client.usage import usage_of
from .common import run_of


class Recorded(CustomLogger):  # type: ignore[misc, unused-ignore]
    """Records the tokens and the cost of every completion."""

    def __init__(self, run: Run | AsyncRun) -> None:
        super().__init__()
        self._run = run_of(run)

    def log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record a completion; a stream when it has ended."""
        try:
            used = usage_of(response_obj)
        except ValueError:
            return
        cost = kwargs.get("response_cost")
        self._run.log_tokens(Usage(**{**vars(used), "cost": cost}))

    async def async_log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record a completion that was awaited."""
        self.log_success_event(kwargs, response_obj, start_time, end_time)
