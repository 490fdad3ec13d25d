"""OpenID Connect: whom the issuer names, and what of its answers is believed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from .agents import register, start, value
from .changes import latest
from .issuer import CLIENT, SECRET, LocalIssuer
from .page import Browser, paging

if TYPE_CHECKING:
    from .conftest import Connect, Connection
    from .servers import Server


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIssuer]:
    monkeypatch.setenv("AGENTDB_OIDC_SECRET", SECRET)
    with LocalIssuer().serving() as found:
        yield found


def options(issuer: LocalIssuer, subject: str = "sub") -> tuple[str, ...]:
    return (
        "--login", "oidc", "--oidc-issuer", issuer.url, "--oidc-client", CLIENT,
        "--oidc-subject", subject,
    )  # fmt: skip


@pytest.fixture
def page(server: Server, db: Connection, issuer: LocalIssuer) -> Iterator[str]:
    with paging(server, db, *options(issuer)) as url:
        yield url


def begin(browser: Browser, to: str = "/") -> str:
    """Begin a login; return where the issuer sends the browser back to."""
    browser.get("/login")
    there = browser.get(f"/login/oidc?next={to}")
    assert there.status_code == 303, there.text
    answer = httpx.get(there.headers["location"], trust_env=False)
    back: str = answer.headers["location"].removeprefix(browser.url)
    return back


def enter(url: str, to: str = "/") -> tuple[Browser, httpx.Response]:
    browser = Browser(url)
    return browser, browser.get(begin(browser, to))


def test_an_issuer_names_who_asks(
    page: str, db: Connection, issuer: LocalIssuer
) -> None:
    register(db)
    viewer, answer = enter(page, "/changes")
    assert (answer.status_code, answer.headers["location"]) == (303, "/changes")
    viewer.post("/agent/a/pause", {"reason": "x"})
    assert f"{issuer.url} ann is a viewer" in viewer.said()
    db.execute("select agentdb.map_person(%s, 'operator_o')", [f"{issuer.url} ann"])
    ann, _ = enter(page)
    ann.post("/agent/a/pause", {"reason": "x"})
    stopped = value(db, "select stopped_by from agentdb.agent_stop")
    assert stopped == "operator_o by way of agentdb serve"


LIES: list[tuple[dict[str, Any], str]] = [
    ({"nonce": "another"}, "RS256"),
    ({"nonce": None}, "RS256"),
    ({"aud": "another"}, "RS256"),
    ({"aud": [CLIENT, "another"], "azp": "another"}, "RS256"),
    ({"iss": "https://evil.example"}, "RS256"),
    ({"exp": 1_000_000_000}, "RS256"),
    ({"exp": None}, "RS256"),
    ({"sub": None}, "RS256"),
    ({"sub": 7}, "RS256"),
    ({"sub": "a b"}, "RS256"),
    ({}, "none"),
    ({}, "HS256"),
]


def test_what_is_not_signed_for_us_now_is_not_believed(
    page: str, issuer: LocalIssuer
) -> None:
    for lies, algorithm in LIES:
        issuer.lies, issuer.algorithm = lies, algorithm
        browser, answer = enter(page)
        assert answer.status_code == 403, (lies, algorithm)
        assert browser.get("/").status_code == 303
    issuer.lies, issuer.algorithm = {}, "RS256"
    honest = issuer.key
    issuer.key = RSAKey.generate_key(2048, {"kid": "1"}, private=True)
    forged, issuer.key = issuer.key, honest
    assert enter(page)[1].status_code == 303
    # A key that the issuer does not publish.
    browser = Browser(page)
    back = begin(browser)
    published = issuer.key.as_dict(private=False)
    issuer.key = forged
    assert forged.as_dict(private=False)["n"] != published["n"]
    assert browser.get(back).status_code == 403


def test_a_login_is_of_the_browser_that_began_it(page: str) -> None:
    """Nobody is logged in as somebody else: not by a link that another began."""
    mallory, victim = Browser(page), Browser(page)
    back = begin(mallory)
    victim.get("/login")
    assert victim.get(back).status_code == 403
    assert victim.get("/").status_code == 303
    # And its state is used up.
    assert mallory.get(back).status_code == 403
    odd = {b"cookie": b"agentdb-guest=\xe9"}
    assert Browser(page).client.get(begin(mallory), headers=odd).status_code == 403
    again = begin(mallory)
    assert mallory.get(again).status_code == 303
    assert mallory.get(again).status_code in (303, 403)
    assert Browser(page).get(again).status_code == 403
    for made_up in ("?code=x&state=y", "", "?error=access_denied&state=y"):
        assert Browser(page).get(f"/login/oidc/callback{made_up}").status_code == 403


def test_a_code_needs_what_only_the_server_has(page: str, issuer: LocalIssuer) -> None:
    browser = Browser(page)
    browser.get("/login")
    there = httpx.URL(browser.get("/login/oidc").headers["location"])
    assert there.params["code_challenge_method"] == "S256"
    assert (
        there.params["code_challenge"]
        and there.params["nonce"]
        and there.params["state"]
    )
    # A code of another login, put into this one.
    other = begin(Browser(page))
    code = httpx.URL(page + other).params["code"]
    forged = f"/login/oidc/callback?code={code}&state={there.params['state']}"
    assert browser.get(forged).status_code == 403
    assert issuer.refused == ["code"]


def test_an_address_counts_once_it_is_verified(
    server: Server, db: Connection, issuer: LocalIssuer
) -> None:
    with paging(server, db, *options(issuer, "email")) as url:
        for who in (
            {"email": "ann@x"},
            {"email": "ann@x", "email_verified": False},
            {"email": "ann@x", "email_verified": "true"},
            {"email": "role operator_o", "email_verified": True},
            {"email_verified": True},
        ):
            issuer.who = {"sub": "1", **who}
            assert enter(url)[1].status_code == 403, who
        issuer.who = {"sub": "1", "email": "ann@x", "email_verified": True}
        browser, answer = enter(url)
        assert answer.status_code == 303
        assert "ann@x" in browser.get("/").text


def test_ones_own_change_by_way_of_an_issuer(
    server: Server, guarded: Connection, connect: Connect, issuer: LocalIssuer
) -> None:
    agent = connect(guarded.info.dbname, "agent_a")
    agent.execute("set search_path = agentdb_stage, public")
    start(agent)
    agent.execute("update agentdb_stage.invoice set note = 'x' where id = 1")
    change = latest(guarded)
    path, fields = (
        f"/change/{change['change_id']}/approve",
        {"digest": change["digest"]},
    )
    guarded.execute("grant agentdb_reviewer to agent_a")
    try:
        for name, role in (("own", "agent_a"), ("rev", "reviewer_r")):
            subject = f"{issuer.url} {name}"
            guarded.execute("select agentdb.map_person(%s, %s)", [subject, role])
        with paging(server, guarded, *options(issuer)) as url:
            issuer.who = {"sub": "own"}
            own, _ = enter(url)
            own.post(path, fields)
            assert "may not decide change" in own.said()
            assert latest(guarded)["state"] == "pending"
            issuer.who = {"sub": "rev"}
            rev, _ = enter(url)
            rev.post(path, fields)
            assert "is applied" in rev.said()
    finally:
        guarded.execute("revoke agentdb_reviewer from agent_a")


def test_an_issuer_that_is_away_lets_nobody_in(
    server: Server, db: Connection, issuer: LocalIssuer
) -> None:
    given = list(options(issuer))
    given[3] = "http://127.0.0.1:1"
    with paging(server, db, *given) as url:
        browser = Browser(url)
        browser.get("/login")
        answer = browser.get("/login/oidc")
        assert answer.status_code == 503 and "does not answer" in answer.text
