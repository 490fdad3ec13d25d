"""Takes the pictures of docs/images: python -m tests.browser.shots [FOLDER]."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from ..agents import row
from .world import chromium, world

FOLDER = Path(__file__).parents[2] / "docs" / "images"
# Name, address, width, height, colours.
SHOTS = (
    ("page-status", "/", 1280, 860, "light"),
    ("page-status-phone", "/", 360, 720, "dark"),
    ("page-run", "/run/{run}", 1280, 860, "light"),
    ("page-change", "/change/1", 1280, 900, "dark"),
    ("page-alert-phone", "/alert/{alert}", 360, 720, "light"),
)


# A run that failed often, and an alert that everybody understands.
FOUND = """
select (select run_id from agentdb.run_summary
    order by tool_errors desc, run_id limit 1) as run,
  (select alert_id from agentdb.alert
    where rule_name = 'conversation_budget' limit 1) as alert
"""


def main(folder: Path = FOLDER) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with world() as found, sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox"]
        )
        numbers = row(found.db, FOUND)
        for name, path, width, height, scheme in SHOTS:
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            page.goto(found.link())
            page.get_by_role("button", name="Log in").click()
            page.goto(found.url + path.format(**numbers))
            page.screenshot(path=folder / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
