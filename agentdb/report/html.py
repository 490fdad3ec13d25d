"""Writes a run as one HTML file that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files

from ..harmless import harmless
from .chapter import Chapter, chapters, title
from .story import Story
from .svg import axis

POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(*stories: Story) -> str:
    """Return the report; of several runs one after the other, on the same scale."""
    style = "".join(
        files("agentdb.report").joinpath(name).read_text("utf-8")
        for name in ("report.css", "axis.css")
    )
    body = "".join(part for story in stories for part in _story(story, stories))
    heading = text(", ".join(title(story) for story in stories))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{heading}</title><style>{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _story(story: Story, stories: tuple[Story, ...]) -> Iterator[str]:
    longest = max(each.span for each in stories)
    yield f"<h1>{text(title(story))}</h1>"
    yield f'<div class="wide">{axis(story, span=longest)}</div>'
    for chapter in chapters(story):
        yield from _chapter(chapter)


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f"<h2>{text(chapter.title)}</h2>"
    for sentence in chapter.sentences:
        yield f"<p>{text(sentence)}</p>"
    if chapter.header:
        yield '<div class="wide"><table><thead><tr>'
        for name in chapter.header:
            yield f'<th scope="col">{text(name)}</th>'
        yield "</tr></thead><tbody>"
        for row in chapter.rows:
            yield f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>"
        yield "</tbody></table></div>"


def text(value: str) -> str:
    """Return a text as itself: no markup, and nothing that turns a line around."""
    return f"<bdi>{escape(harmless(value))}</bdi>" if value else ""
