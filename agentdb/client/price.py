"""What a model call costs by the price list of genai-prices, where it is installed.

Nothing is guessed: a call of a model, a provider or a tier that the list does not have,
or that used more than tokens of text, has no price.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from decimal import Decimal
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .usage import Usage

# What providers call the price that everybody pays.
COMMON = (None, "", "auto", "default", "standard", "standard_only")
NOTHING = Decimal(0)
logger = logging.getLogger("agentdb.client")


@dataclass(frozen=True)
class Terms:
    """What a price depends on besides the model and the tokens that are recorded.

    `provider` is its name in genai-prices (openai, anthropic, azure, …), or `url` the
    address that was asked.  `cache_write` are tokens of the input, `cache_write_1h`
    some of these.  `beyond` says that more was used than tokens of text.
    """

    provider: str | None = None
    url: str | None = None
    tier: str | None = None
    cache_write: int = 0
    cache_write_1h: int = 0
    beyond: bool = False


def priced(used: Usage, terms: Terms) -> Usage:
    """Return a usage with its cost, as it is where that is said or not known."""
    said = (used.cost, used.input_cost, used.cached_input_cost, used.output_cost)
    if any(each is not None for each in said) or not used.model or terms.beyond:
        return used
    if not (terms.provider or terms.url):
        return used
    try:
        prices = import_module("genai_prices")
    except ImportError:
        return used
    try:
        return _priced(prices, used, terms)
    except LookupError:
        return used
    except Exception:
        # Another list than the one that we know: no agent ends for want of a price.
        logger.exception("agentdb: a call has no price")
        return used


def _priced(prices: Any, used: Usage, terms: Terms) -> Usage:
    tokens = prices.Usage(
        input_tokens=used.input + used.cached_input,
        cache_read_tokens=used.cached_input,
        cache_write_tokens=terms.cache_write,
        cache_write_1h_tokens=terms.cache_write_1h,
        output_tokens=used.output,
    )
    whose: dict[str, Any] = {"provider_id": terms.provider}
    if terms.url:
        whose = {"provider_api_url": terms.url}
    common = terms.tier in COMMON
    context = None if common else {"service_tier": terms.tier}
    found = prices.calc_price(tokens, used.model, price_context=context, **whose)
    if not (_is_whole(found.model_price, used) and (common or _has(found, terms.tier))):
        return used
    # The price of the input if nothing of it had been read from the cache for money.
    fresh = _without_cache(found.model_price).calc_price(tokens)["input_price"]
    by = f"genai-prices {version('genai-prices')}"
    return replace(
        used,
        input_cost=fresh,
        cached_input_cost=found.input_price - fresh,
        output_cost=found.output_price,
        priced_by=f"{by}, {found.provider.id}/{found.model.id}, {_day(found)}",
    )


def _without_cache(price: Any) -> Any:
    return type(price)(**{**vars(price), "cache_read_mtok": NOTHING})


def _is_whole(price: Any, used: Usage) -> bool:
    """Tell whether what was used has a price each: none is not for nothing."""
    return (price.input_mtok is not None or used.input + used.cached_input == 0) and (
        price.output_mtok is not None or used.output == 0
    )


def _has(found: Any, tier: str | None) -> bool:
    """Tell whether the list has prices of a tier for a model."""
    return any(
        isinstance(each.when, Mapping) and each.when.get("service_tier") == tier
        for each in found.model.price_variants or ()
    )


def _day(found: Any) -> str:
    """Return of which day the price is: the list's last update, else today's of it."""
    at = found.auto_update_timestamp or datetime.now(timezone.utc)
    return f"{at:%Y-%m-%d}"
