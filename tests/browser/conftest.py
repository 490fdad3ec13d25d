"""A browser with scripts or without, in front of a page that the replay has filled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import pytest

from .world import World, chromium, world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open: TypeAlias = "Callable[..., Page]"


@pytest.fixture(scope="session")
def filled() -> Iterator[World]:
    with world() as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; skips where there is none, and says what to install."""
    where = chromium()
    if where is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="pip install 'agentdb-pg[browser]'"
    )
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, filled: World) -> Iterator[Open]:
    """Open a page as ada, who has logged in by a link; fails on errors in its console."""
    contexts, wrong = [], []

    def open_page(
        path: str = "/", *, scripts: bool = True, width: int = 1280,
        scheme: str = "light", zone: str = "UTC", role: str = "ada",
    ) -> Page:  # fmt: skip
        context = browser.new_context(
            java_script_enabled=scripts,
            viewport={"width": width, "height": 800},
            color_scheme=scheme,  # type: ignore[arg-type]
            timezone_id=zone,
            base_url=filled.url,
        )
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda said: wrong.append(said.text) if said.type == "error" else None,
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(filled.link(role))
        page.get_by_role("button", name="Log in").click()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
