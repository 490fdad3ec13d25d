"""Writes a run as Markdown, for a post-mortem, an issue or a chat."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..harmless import harmless
from .chapter import Chapter, chapters, title
from .line import axis
from .story import Story

# What Markdown would obey, and what would become a link or call somebody by name.
SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~#]")
LINKED = re.compile(r"(?<=[a-z]):(?=//)|(?<=www)\.|@", re.IGNORECASE)


def render(*stories: Story) -> str:
    """Return the report; of several runs one after the other."""
    return "\n".join(line for story in stories for line in _lines(story))


def _lines(story: Story) -> Iterator[str]:
    yield f"# {text(title(story))}"
    yield ""
    yield "```text"
    yield from axis(story)
    yield "```"
    yield ""
    for chapter in chapters(story):
        yield from _chapter(chapter)


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f"## {chapter.title}"
    yield ""
    for sentence in chapter.sentences:
        yield sentence
        yield ""
    if chapter.header:
        yield f"| {' | '.join(chapter.header)} |"
        yield f"|{'---|' * len(chapter.header)}"
        for row in chapter.rows:
            yield f"| {' | '.join(text(cell) for cell in row)} |"
        yield ""


def text(value: str) -> str:
    """Return a text as itself, on one line, whatever is in it."""
    line = " ".join(harmless(value).split())
    line = LINKED.sub(
        lambda found: f"&#{ord(found[0])};", SPECIAL.sub(r"\\\g<0>", line)
    )
    return line
