"""LiteLLM: `litellm.callbacks = [Recorded(run)]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

from litellm.integrations.custom_logger import CustomLogger

from ..client import AsyncRun, Run
from ..client.usage import usage_of
from .common import run_of

# Sums of binary fractions differ by less.
SAME = Decimal("1e-9")


class Recorded(CustomLogger):  # type: ignore[misc, unused-ignore]
    """Records the tokens and the cost of every completion, for the run given last.

    LiteLLM keeps the first callback of a class for ever, and takes no other.
    """

    _run: ClassVar[Run]

    def __init__(self, run: Run | AsyncRun) -> None:
        super().__init__()
        Recorded._run = run_of(run)

    def log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record a completion; a stream when it has ended."""
        try:
            used = usage_of(response_obj)
        except ValueError:
            return
        if self._run.ended:
            return
        self._run.log_tokens(replace(used, **_cost(kwargs)))

    async def async_log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record a completion that was awaited."""
        self.log_success_event(kwargs, response_obj, start_time, end_time)


def _cost(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what LiteLLM reckons: by kind where these are all, else the total.

    What the cache costs is said to be beside the cost of the input, and is within it.
    """
    total = _amount(kwargs.get("response_cost"))
    said = kwargs.get("standard_logging_object") or {}
    parts = said.get("cost_breakdown") or {}
    names = ("input_cost", "cache_creation_cost", "cache_read_cost", "output_cost")
    given, written, cached, output = (_amount(parts.get(name)) or 0 for name in names)
    for fresh in (given - cached, given + written):
        if total is not None and abs(total - fresh - cached - output) <= SAME:
            return {
                "input_cost": fresh, "cached_input_cost": cached, "output_cost": output,
            }  # fmt: skip
    # A discount, a margin, or what a tool of the provider cost.
    return {"cost": total}


def _amount(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))
