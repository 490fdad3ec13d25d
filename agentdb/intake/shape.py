"""Makes of an event what the database takes: no secrets, no text that it refuses."""

from __future__ import annotations

import json
import re
from typing import Any

from ..plain import LONGEST, Walk
from ..redaction import Redaction

# What PostgreSQL stores in no text: NUL, and half of a surrogate pair.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# What people, models or tools wrote, where a secret may be; a result is kept where
# nobody has told yet of what call it is, or nothing proves it.
TEXTS = (
    "error", "violation", "reason", "purpose", "summary", "step", "result", "sample",
)  # fmt: skip
VALUES = ("args", "details")


def shape(event: dict[str, Any], redaction: Redaction) -> str:
    """Return an event as a text of JSON, shorter where it is beyond all use."""
    made = dict(event)
    result = made.get("result")
    if isinstance(result, str) and len(result) > LONGEST:
        made["result"] = result[:LONGEST]
        made.setdefault("result_size", len(result))
    for name in TEXTS:
        if isinstance(found := made.get(name), str):
            made[name] = redaction.text(found)
    for name in VALUES:
        if (found := made.get(name)) is not None:
            made[name] = redaction.value(found, str(made.get("tool") or ""))
    try:
        text = json.dumps(made, ensure_ascii=False, allow_nan=False, default=str)
    except ValueError:
        return json.dumps(Walk(storable).value(made), ensure_ascii=False)
    if r"\u0000" in text or UNSTORABLE.search(text):
        text = json.dumps(Walk(storable).value(made), ensure_ascii=False)
    return text


def storable(text: str) -> str:
    """Return a text with U+FFFD for what cannot be stored."""
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
