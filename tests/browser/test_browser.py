"""Somebody is woken up and does what has to be done, from a phone or a desk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from ..agents import value
from .conftest import Open
from .world import World

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = (
    "/", "/incidents", "/incidents?all", "/alert/1", "/silences", "/agents",
    "/agent/billing", "/runs", "/run/5", "/run/5/tree", "/run/5/with/6", "/run/5/undo",
    "/changes", "/change/1", "/change/2", "/questions", "/audit",
    "/audit?table=airline.reservations", "/locks", "/tools", "/costs", "/rules",
    "/rule/token_rate", "/outbox", "/run/4711",
)  # fmt: skip


def scripted(test: object) -> object:
    """Run a test with scripts and without."""
    return pytest.mark.parametrize("scripts", [True, False], ids=["js", "no-js"])(test)


def flash(page: Page) -> str:
    """Return what the page says was done."""
    return page.locator(".flash[role=status]").first.inner_text()


def choose(filled: World, query: str) -> str:
    """Return a number of the database, as an address has it."""
    return str(value(filled.db, query))


@scripted
def test_alert_is_found_and_seen_to(
    filled: World, open_page: Open, scripts: bool
) -> None:
    page = open_page(scripts=scripts, width=360)
    page.locator(".row", has_text=re.compile("critical|warning")).first.locator(
        "a.whole"
    ).click()
    number = re.search(r"/alert/(\d+)", page.url)
    assert number is not None
    page.get_by_text("Acknowledge", exact=True).click()
    page.get_by_label("What is known").fill("the vendor is down, ticket 12")
    page.get_by_role("button", name="I see to it").click()
    assert f"A-{number[1]} is acknowledged" in flash(page)
    assert "the vendor is down, ticket 12" in page.locator("main").inner_text()
    page.get_by_role("button", name="Take the acknowledgement back").click()
    assert "not acknowledged any more" in flash(page)


@scripted
def test_noise_is_silenced(filled: World, open_page: Open, scripts: bool) -> None:
    alert = choose(
        filled, "select max(alert_id) from agentdb.active_alert where state = 'firing'"
    )
    page = open_page(f"/alert/{alert}", scripts=scripts, width=360)
    page.get_by_text("Silence", exact=True).first.click()
    page.locator("#silence-why").fill("known until the deployment is over")
    page.get_by_role("button", name="Silence", exact=True).click()
    assert "alerts fire under it" in flash(page)
    page.goto("/silences")
    page.get_by_role("button", name="End it").first.click()
    assert "is over" in flash(page)


@scripted
def test_run_is_killed(filled: World, open_page: Open, scripts: bool) -> None:
    instance = "third" if scripts else "fourth"
    run = choose(
        filled,
        f"select run_id from agentdb.run where instance = '{instance}'",
    )
    page = open_page(f"/run/{run}", scripts=scripts, width=360)
    page.get_by_text("Kill", exact=True).click()
    # Without a reason the browser itself stops it.
    page.get_by_role("button", name=f"Kill run {run}").click()
    assert page.url.endswith(f"/run/{run}")
    page.locator("#kill-why").fill("it books what is paid")
    page.get_by_role("button", name=f"Kill run {run}").click()
    page.wait_for_selector(".flash")
    assert "killed" in page.locator("main").inner_text()
    assert "it books what is paid" in page.locator("main").inner_text()
    query = f"select outcome from agentdb.run where run_id = {run}"
    assert value(filled.db, query) == "killed"


@scripted
def test_change_is_judged_and_its_run_undone(
    filled: World, open_page: Open, scripts: bool
) -> None:
    customer = "Ada Ltd" if scripts else "Bolt GmbH"
    change = choose(
        filled,
        "select change_id from agentdb.change"
        f" where reason like 'three invoices of {customer}%'",
    )
    page = open_page("/changes", scripts=scripts, width=360)
    page.locator(".row", has_text=f"three invoices of {customer}").locator("a").click()
    said = page.locator("main").inner_text()
    assert "by transfer" in said and "ticket 4711" in said and "shop.ledger" in said
    page.get_by_label("Comment").fill("seen on the statement")
    page.get_by_role("button", name="Approve 3 rows").click()
    assert f"change {change} is applied" in flash(page)
    run = choose(
        filled, f"select run_id from agentdb.change where change_id = {change}"
    )
    page.goto(f"/run/{run}/undo")
    page.get_by_label("Why").fill("the statement was another's")
    page.get_by_role("button", name="Try it").click()
    said = page.locator("main").inner_text()
    assert "Nothing was changed yet" in said and "leave out" in said
    page.get_by_label("leave out").first.check()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Undo it").click()
    assert re.search(r"change \d+ takes 5 rows back|taken back", flash(page))
    kept = value(
        filled.db,
        "select row_count from agentdb.change_summary where kind = 'undo'"
        " order by change_id desc limit 1",
    )
    # Three invoices and what the trigger wrote of each, without one row.
    assert kept == 5


@scripted
def test_question_is_answered(filled: World, open_page: Open, scripts: bool) -> None:
    page = open_page("/questions", scripts=scripts, width=360)
    before = page.locator("section.card").count()
    page.get_by_label("CR-19").first.check()
    page.get_by_role("button", name="Answer").first.click()
    assert "is answered" in flash(page)
    assert page.locator("section.card").count() == before - 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_everybody_can_read_it(open_page: Open, width: int, scheme: str) -> None:
    """Nothing that axe-core calls serious, and nothing is wider than the screen."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(width=width, scheme=scheme)
    found = {}
    for path in PAGES[:-1]:
        page.goto(path)
        result = axe.run(page).response["violations"]
        serious = [
            f"{each['id']}: {each['nodes'][0]['html'][:200]}"
            for each in result
            if each["impact"] in ("serious", "critical")
        ]
        if serious:
            found[path] = serious
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, path
    assert found == {}


def test_keys_alone_are_enough(open_page: Open) -> None:
    page = open_page("/incidents")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_times_come_in_the_zone_of_the_browser(open_page: Open) -> None:
    from playwright.sync_api import expect

    page = open_page("/", zone="Asia/Tokyo")
    expect(page.locator("#zone")).to_have_value("Asia/Tokyo")
    page.locator("#zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Set").click()
    assert page.locator("#zone").input_value() == "Europe/Berlin"


def test_page_refreshes_itself_and_disturbs_nobody(
    filled: World, open_page: Open
) -> None:
    page = open_page("/agents")
    page.evaluate("window.unchanged = true")
    wake = "document.dispatchEvent(new Event('visibilitychange'))"
    filled.db.execute("select agentdb.pause_agent('coding', 'lunch')")
    page.evaluate(wake)
    page.get_by_text("paused").first.wait_for()
    # It was no new page, and whoever types is left alone.
    assert page.evaluate("window.unchanged")
    page.locator("#q").fill("cod")
    filled.db.execute("select agentdb.resume_agent('coding', 'back')")
    page.evaluate(wake)
    page.wait_for_timeout(300)
    assert page.locator("#q").input_value() == "cod"
    assert page.get_by_text("paused").count() > 0


def test_slider_goes_to_what_was_there(filled: World, open_page: Open) -> None:
    key = value(
        filled.db,
        "select row_key::text from agentdb.audit where table_name = 'airline.reservations'"
        " and operation = 'update' group by 1 order by count(*) desc, 1 limit 1",
    )
    page = open_page()
    page.goto(f"/audit?table=airline.reservations&key={key}")
    slider = page.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_url("**as_of=**")
    assert "As of" in page.locator("#asof").inner_text()


def test_axis_is_enlarged_by_a_link(open_page: Open) -> None:
    page = open_page("/run/5", scripts=False)
    page.locator("a.axis-zoom").nth(1).click()
    assert "from=" in page.url and page.get_by_text("All of it").count() == 1


def test_page_that_cannot_be_refreshed_says_so(filled: World, browser: Browser) -> None:
    from playwright.sync_api import expect

    # A console of its own: the browser writes the refused request into it.
    context = browser.new_context(base_url=filled.url, timezone_id="UTC")
    page = context.new_page()
    page.goto(filled.link())
    page.get_by_role("button", name="Log in").click()
    page.goto("/agents")
    wake = "document.dispatchEvent(new Event('visibilitychange'))"
    shown = page.locator("#now time").inner_text()
    try:
        # Nobody comes in any more, and who is in is not.
        filled.db.execute("alter role page_serve nologin")
        filled.db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'page_serve'"
        )
        page.evaluate(wake)
        banner = page.get_by_role("alert")
        banner.wait_for()
        said = banner.inner_text()
        assert f"Not updated since {shown}" in said and "database is away" in said
    finally:
        filled.db.execute("alter role page_serve login")
    expect(banner).to_be_hidden(timeout=20_000)
    assert page.locator("#now time").inner_text() != shown
    context.close()


def test_refresh_leaves_open_what_is_open_and_the_focus_where_it_is(
    filled: World, open_page: Open
) -> None:
    from playwright.sync_api import expect

    wake = "document.dispatchEvent(new Event('visibilitychange'))"
    page = open_page("/agents")
    link = page.locator("main a[href='/agent/coding']")
    link.focus()
    page.evaluate("document.getElementById('main').dataset.old = 'yes'")
    page.evaluate(wake)
    expect(page.locator("#main[data-old]")).to_have_count(0)
    expect(link).to_be_focused()
    page.goto("/agent/billing")
    page.get_by_text("Pause", exact=True).first.click()
    page.evaluate(wake)
    expect(page.get_by_role("alert")).to_contain_text("a form is open")


def test_axis_on_a_phone_begins_at_its_newest_end(open_page: Open) -> None:
    page = open_page("/run/5", width=360)
    place = page.evaluate(
        "(() => { const a = document.querySelector('.axis-scroll');"
        " return [a.scrollLeft + a.clientWidth, a.scrollWidth]; })()"
    )
    assert place[1] > 360 and abs(place[0] - place[1]) <= 1


def test_figures_of_an_agent_are_whole_on_a_phone(open_page: Open) -> None:
    page = open_page("/agents", width=320)
    cut = page.evaluate(
        "[...document.querySelectorAll('td')].filter(c => c.scrollWidth >"
        " c.clientWidth + 1).map(c => c.textContent)"
    )
    assert cut == []
