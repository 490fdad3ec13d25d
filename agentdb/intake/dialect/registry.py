"""Whose words a record is in: by the library that wrote it, then by its fields."""

from __future__ import annotations

from types import ModuleType

from ..otlp.record import Record
from . import (
    claude_code,
    codex,
    gemini_cli,
    genai,
    langsmith,
    litellm,
    openai_agents,
    openinference,
    openllmetry,
    pydantic_ai,
    unknown,
    vercel_ai,
)

# Each is asked in turn.  What a library does in its own way comes before the
# conventions that it otherwise follows.
DIALECTS: tuple[ModuleType, ...] = (
    claude_code,
    gemini_cli,
    codex,
    pydantic_ai,
    openai_agents,
    openinference,
    openllmetry,
    langsmith,
    litellm,
    vercel_ai,
    genai,
    unknown,
)


def dialect(record: Record) -> ModuleType | None:
    """Return the module that reads a record; None where no agent wrote it."""
    for module in DIALECTS:
        if module.speaks(record):
            return module
    return None
