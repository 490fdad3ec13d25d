"""LiteLLM, as a library or a proxy: one span a request; its child has it raw.

Cached input is inside, and told in a text of Python.  What came from LiteLLM's own
cache asked no model.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from ..otlp.record import Record, Span
from . import genai
from .value import first, member, number, parsed, text, truth

if TYPE_CHECKING:
    from .reading import Reading

SESSIONS = ("metadata.session_id", "metadata.litellm_session_id", "session.id")


def speaks(record: Record) -> bool:
    """Return whether a record is in these words."""
    return isinstance(record, Span) and record.source.scope == "litellm"


def read(record: Record, reading: Reading) -> None:
    """Read one request to a model."""
    assert isinstance(record, Span)
    of = record.attributes
    if "litellm.call_id" not in of or truth(of.get("litellm.cache_hit")):
        return
    used = _python(of.get("metadata.usage_object"))
    genai.request(
        record,
        reading,
        ids=[of.get("litellm.call_id")],
        cached_input=first(of, *genai.CACHED)
        or member(used, "prompt_tokens_details", "cached_tokens"),
        reasoning=member(used, "completion_tokens_details", "reasoning_tokens"),
        cost=number(member(parsed(of.get("hidden_params")), "response_cost")),
        conversation=text(first(of, *SESSIONS)),
    )


def _python(shown: Any) -> Any:
    """Return what a dictionary that was printed by Python says."""
    try:
        return ast.literal_eval(shown) if isinstance(shown, str) else shown
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
