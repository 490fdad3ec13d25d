"""Tokens of one model call: set aside before the prompt, settled by what was used."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import Paused, RunClosed, Stopped
from .errors import BudgetRefused, Busy
from .price import Terms, priced
from .session import Away

if TYPE_CHECKING:
    from .run import Run

logger = logging.getLogger("agentdb.client")


@dataclass(frozen=True)
class Usage:
    """Tokens by kind: `input` without the cached part, `output` with its reasoning.

    The cost is known by these kinds, or as a total, or not at all (None); in the
    currency that you log.  `priced_by` says whose price it is.  With the `response_id`
    of its provider a model call counts once, whoever else tells of it.
    """

    input: int
    output: int
    cached_input: int = 0
    reasoning: int = 0
    model: str | None = None
    cost: Decimal | float | None = None
    input_cost: Decimal | float | None = None
    cached_input_cost: Decimal | float | None = None
    output_cost: Decimal | float | None = None
    priced_by: str | None = None
    response_id: str | None = None


def usage_of(
    response: Any, *, provider: str | None = None, url: str | None = None
) -> Usage:
    """Return what a response of the OpenAI or Anthropic SDK says that it used.

    Takes the object or its dictionary; raises ValueError where it names no usage.  It
    is priced by genai-prices for the `provider` (openai, azure, …), or that at a `url`,
    else for the provider whose SDK the response is of.
    """
    used = _get(response, "usage") or _get(response, "usage_metadata")
    if used is None:
        raise ValueError(f"{type(response).__name__} names no usage: give it yourself")
    model = _get(response, "model")
    known = provider or (None if url else _sdk(response))
    terms = Terms(provider=known, url=url, tier=_tier(response, used))
    by_cache = _get(used, "cache_read_input_tokens") is not None
    counted = (_anthropic if by_cache else _openai)(used, model, terms)
    return replace(counted, response_id=response_id(_get(response, "id")))


def response_id(said: Any) -> str | None:
    """Return what a response is called, where that can be a name."""
    named = isinstance(said, str) and said.isprintable() and " " not in said
    return said if named and 0 < len(said) <= 200 else None


def _anthropic(used: Any, model: str | None, terms: Terms) -> Usage:
    """Cached input is beside the input."""
    written = _count(used, "cache_creation_input_tokens")
    tools = _get(used, "server_tool_use")
    return priced(
        Usage(
            input=_count(used, "input_tokens") + written,
            output=_count(used, "output_tokens"),
            cached_input=_count(used, "cache_read_input_tokens"),
            model=model,
        ),
        replace(
            terms,
            cache_write=written,
            cache_write_1h=_count(
                _get(used, "cache_creation"), "ephemeral_1h_input_tokens"
            ),
            beyond=_count(tools, "web_search_requests") > 0,
        ),
    )


def _openai(used: Any, model: str | None, terms: Terms) -> Usage:
    """Cached input is within the input."""
    detail_in = (
        _get(used, "prompt_tokens_details")
        or _get(used, "input_tokens_details")
        or _get(used, "input_token_details")
    )
    detail_out = (
        _get(used, "completion_tokens_details")
        or _get(used, "output_tokens_details")
        or _get(used, "output_token_details")
    )
    cached = _count(detail_in, "cached_tokens") or _count(detail_in, "cache_read")
    given = _count(used, "prompt_tokens") or _count(used, "input_tokens")
    hour = _count(detail_in, "ephemeral_1h_input_tokens")
    heard = sum(
        _count(each, name)
        for each in (detail_in, detail_out)
        for name in ("audio_tokens", "audio", "image_tokens")
    )
    return priced(
        Usage(
            input=max(given - cached, 0),
            output=_count(used, "completion_tokens") or _count(used, "output_tokens"),
            cached_input=cached,
            reasoning=_count(detail_out, "reasoning_tokens")
            or _count(detail_out, "reasoning"),
            model=model,
        ),
        replace(
            terms,
            cache_write=_count(detail_in, "cache_write_tokens")
            or _count(detail_in, "cache_creation")
            or hour + _count(detail_in, "ephemeral_5m_input_tokens"),
            cache_write_1h=hour,
            beyond=heard > 0,
        ),
    )


def _sdk(response: Any) -> str | None:
    """Return the provider whose SDK a response is of."""
    package = type(response).__module__.partition(".")[0]
    return package if package in ("openai", "anthropic") else None


def _tier(response: Any, used: Any) -> str | None:
    found = _get(response, "service_tier") or _get(used, "service_tier")
    return found if isinstance(found, str) else None


def _get(source: Any, name: str) -> Any:
    if isinstance(source, Mapping):
        return source.get(name)
    return getattr(source, name, None)


def _count(source: Any, name: str) -> int:
    found = _get(source, name) if source is not None else None
    return found if isinstance(found, int) else 0


class Tokens:
    """Tokens set aside for one prompt; entered before it is sent, settled after."""

    def __init__(self, run: Run, estimate: int, max_output: int) -> None:
        self._run = run
        self._estimate = estimate
        self._max_output = max_output
        self._reservation: int | None = None
        self._used: Usage | None = None

    def usage(self, response: Any, provider: str | None = None) -> Usage:
        """Take over what a response of a model's SDK says that it used, see usage_of.

        `provider` is whose price it has where that is not the maker of the SDK.
        """
        self._used = (
            response
            if isinstance(response, Usage)
            else usage_of(response, provider=provider)
        )
        return self._used

    def set(self, *, provider: str | None = None, **used: Any) -> Usage:
        """Say what was used: the fields of Usage, of which input and output must be.

        With a `provider` it has the price of that one's model, where no cost is given.
        """
        self._used = priced(Usage(**used), Terms(provider=provider))
        return self._used

    def settle_later(self) -> None:
        """Settle what was used in the background, where nobody may wait for it."""
        if self._used is None or os.getpid() != self._process:
            return
        if self._reservation is None:
            self._run.log_tokens(self._used)
        else:
            self._run._add("settled", self._settled(self._used))

    def _settled(self, used: Usage) -> dict[str, Any]:
        return {"reservation": self._reservation, **self._run._used(used)}

    def __enter__(self) -> Tokens:
        self._used, self._reservation = None, None
        self._process = os.getpid()
        row = self._run._ask_or_pass(
            "reserve_tokens", estimate=self._estimate, max_output=self._max_output
        )
        if row and not row["granted"]:
            raise BudgetRefused(
                f"the {row['scope']} budget has {row['tokens_left']} tokens left, and "
                f"{self._estimate + self._max_output} are asked for",
                hint=row["advice"] or "",
            )
        self._reservation = row["reservation"] if row else None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Settle; a prompt that failed and used nothing that we know of is free again.

        What was not said after a success stays set aside until the run ends.
        """
        if os.getpid() != self._process:
            # A fork of the process whose prompt it is.
            return
        used = self._used or (Usage(0, 0) if kind is not None else None)
        if used is None:
            return
        if self._reservation is None:
            if used != Usage(0, 0):
                self._run.log_tokens(used)
            return
        try:
            self._run._ask("settle_tokens", **self._settled(used))
        except (Away, Busy):
            # It may have been settled even so: asked again it counts once.
            self._run._add("settled", self._settled(used))
        except (Stopped, Paused, RunClosed):
            # The next call says so; here it would hide what was raised within.
            logger.warning("agentdb: the run may not settle its tokens any more")
