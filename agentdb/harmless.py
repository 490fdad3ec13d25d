"""Text as a terminal, a log or a page may show it, whoever wrote it."""

from __future__ import annotations


def harmless(text: str) -> str:
    """Return a text without what a terminal would obey, hide or turn around."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
