"""Each message leads to the page that shows what it is about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentdb.channels.alertmanager import alert
from agentdb.channels.link import is_base, linked
from agentdb.channels.pagerduty import event
from agentdb.channels.text import lines
from agentdb.config import Settings
from agentdb.config.problem import Wrong

from .delivery import NOTIFICATION
from .scene import Scene

BASE = "https://agentdb.example/ops/"


@pytest.mark.parametrize(("count", "what"), [(1, "alert"), (40, "group")])
def test_runner_links_to_alert_and_to_group(
    scene: Scene, count: int, what: str
) -> None:
    scene.receiver(each=count == 1)
    if count > 1:
        scene.db.execute("select agentdb.set_route('ok', 'ok', group_by => '{rule}')")
    scene.start_configured(f"[runner]\npublic_url = '{BASE}'\npoll = 0.1\n")
    scene.trouble(count)
    scene.sink.wait()
    told = scene.sink.received()[0].payload
    place = {
        "alert": f"alert/{told.get('alert')}",
        "group": f"group/{str(told.get('group'))[2:]}",
    }
    assert told["link"] == BASE + place[what]


def test_without_public_url_there_is_no_link() -> None:
    assert linked(NOTIFICATION, None, "main") is NOTIFICATION


def test_each_database_may_have_a_page_of_its_own() -> None:
    told = linked(NOTIFICATION, "https://x.example/{database}", "billing db/1")
    assert told.payload["link"] == "https://x.example/billing%20db%2F1/alert/41"
    test = replace(NOTIFICATION, payload={"kind": "test"})
    assert linked(test, BASE, "main").payload["link"] == BASE.rstrip("/")


def test_services_show_it_as_a_link() -> None:
    told = linked(NOTIFICATION, BASE, "main")
    url = f"{BASE}alert/41"
    assert lines(told.payload)[-1] == url
    assert alert(told)["generatorURL"] == url
    sent = event(told, "key")
    assert sent["client_url"] == url and sent["links"][0]["href"] == url


@pytest.mark.parametrize(
    "url",
    ["agentdb.example", "javascript:alert(1)", "https://", "ftp://x.example", "http://[",
     "https://x.example/?a=1", "https://x.example/#top", "https://x.example/a b", ""],
)  # fmt: skip
def test_what_is_no_address_of_pages_is_refused(url: str) -> None:
    assert not is_base(url)
    with pytest.raises(Wrong, match="public_url"):
        Settings(public_url=url)
