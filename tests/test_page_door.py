"""Nobody is in by default: who comes in to the page, how, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import anyio
import pytest
from starlette.routing import Route

from agentdb.serve.page import action
from agentdb.serve.page.door import routes as ways
from agentdb.serve.page.door.origin import local_path
from agentdb.serve.page.door.session import Sessions
from agentdb.serve.page.door.settings import DoorSettings, Oidc, peers
from agentdb.serve.page.door.slow import FIRST, LONGEST, MOST_FROM_ONE, Slow, TooMany

from .agents import refusal, register, value
from .page import Browser, log_in, paging

if TYPE_CHECKING:
    from .conftest import Connect, Connection
    from .servers import Server

ACTIONS = [
    re.sub(r"{number[^}]*}", "1", route.path).replace("{agent}", "a")
    for route in action.routes()
    if isinstance(route, Route)
]


@pytest.fixture
def page(server: Server, db: Connection) -> Iterator[str]:
    """The address of a page on this machine, with nothing said about logins."""
    with paging(server, db) as url:
        yield url


@pytest.fixture
def ann(page: str, db: Connection, connect: Connect) -> Browser:
    """A browser that a link has let in as an operator."""
    return log_in(page, db, connect, "operator_o")


def paused(db: Connection) -> int:
    return int(value(db, "select count(*) from agentdb.agent_stop"))


def test_nobody_is_in_by_default(page: str) -> None:
    browser = Browser(page)
    first = browser.get("/")
    assert (first.status_code, first.headers["location"]) == (303, "/login")
    shown = browser.get("/login")
    assert shown.status_code == 200 and "agentdb web link" in shown.text
    # A message led here: so does the link.
    led = Browser(page).get("/login?next=/alert/7").text
    assert "agentdb web link --to &#39;/alert/7&#39;" in led
    assert "--to" not in Browser(page).get("/login?next=/alert/%27;rm%20x").text
    for path in ACTIONS:
        assert browser.post(path, csrf="x").status_code in (303, 403), path
    refreshed = browser.get("/", **{"hx-request": "true"})
    assert refreshed.headers["hx-redirect"] == "/login" and not refreshed.text
    # What is not there is said without asking who wants to know.
    assert browser.get("/no/such/page").status_code == 404


def test_another_address_has_no_page_unless_a_login_is_said(
    server: Server, db: Connection
) -> None:
    for options in (("--token-required",), ("--behind-proxy", "agents.example")):
        listen = "0.0.0.0:0" if options[0] == "--token-required" else "127.0.0.1:0"
        with paging(server, db, *options, listen=listen) as url:
            browser = Browser(url)
            assert browser.get("/").status_code == 404
            assert browser.get("/login").status_code == 404
    said = ("--token-required", "--login", "link")
    with paging(server, db, *said, listen="0.0.0.0:0") as url:
        assert Browser(url).get("/").headers["location"] == "/login"


def test_a_login_without_the_role_has_no_page(server: Server, db: Connection) -> None:
    with paging(server, db, user="intake_i") as url:
        assert Browser(url).get("/login").status_code == 404
        assert Browser(url).get("/healthz").status_code == 200


def test_a_link_is_used_up_by_a_person_and_not_by_what_looks_at_it(
    page: str, db: Connection, connect: Connect
) -> None:
    session = connect(db.info.dbname, "operator_o")
    token = value(session, "select agentdb.make_web_link()")
    path = f"/login/link?token={token}"
    unfurler = Browser(page)
    for _ in range(3):
        assert unfurler.get(path).status_code == 200
        assert unfurler.client.head(path).status_code == 200
    assert unfurler.get("/").status_code == 303
    ann, late = Browser(page), Browser(page)
    assert ann.post("/login/link", {"token": token}).status_code == 303
    assert "operator_o" in ann.get("/").text
    answer = late.post("/login/link", {"token": token})
    assert answer.status_code == 403 and "used already" in answer.text
    assert late.get("/").status_code == 303


def test_a_session_has_a_new_name_and_an_end(
    page: str, db: Connection, connect: Connect
) -> None:
    token = value(
        connect(db.info.dbname, "operator_o"), "select agentdb.make_web_link()"
    )
    victim = Browser(page)
    # Somebody else has given the browser a session of its own choice.
    victim.client.cookies.set("agentdb", "fixed", domain="127.0.0.1")
    answer = victim.post("/login/link", {"token": token})
    (cookie,) = [c for c in answer.headers.get_list("set-cookie") if "agentdb=" in c]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "fixed" not in cookie
    key = cookie.partition("=")[2].partition(";")[0]
    assert len(key) >= 43
    fixed = Browser(page, {"cookie": "agentdb=fixed"})
    assert fixed.get("/").status_code == 303
    other = Browser(page, {"cookie": f"agentdb={key}"})
    assert other.get("/").status_code == 200
    assert victim.post("/logout", csrf=other.csrf()).status_code in (303, 403)
    assert other.post("/logout").status_code == 303
    assert other.get("/").status_code == 303


def test_who_logs_in_again_leaves_the_session_before(
    page: str, db: Connection, connect: Connect
) -> None:
    browser = log_in(page, db, connect, "operator_o")
    before = browser.client.cookies["agentdb"]
    token = value(
        connect(db.info.dbname, "reviewer_r"), "select agentdb.make_web_link()"
    )
    answer = browser.post("/login/link", {"token": token}, csrf=browser.csrf())
    assert answer.status_code == 303
    assert "reviewer_r" in Browser(page, {"cookie": _session(answer)}).get("/").text
    old = Browser(page, {"cookie": f"agentdb={before}"})
    assert old.get("/").status_code == 303


def _session(answer: object) -> str:
    found = answer.headers.get_list("set-cookie")  # type: ignore[attr-defined]
    return str(next(c for c in found if c.startswith("agentdb=")).partition(";")[0])


def test_taken_rights_end_a_session_of_a_link(
    page: str, db: Connection, connect: Connect
) -> None:
    ann = log_in(page, db, connect, "operator_o")
    register(db)
    token = ann.csrf()
    db.execute("delete from agentdb.web_person")
    # What it may do is asked for anew by each act, whatever the page believes.
    ann.post("/agent/a/pause", {"reason": "x"}, csrf=token)
    assert paused(db) == 0


def test_no_action_is_a_get(ann: Browser, db: Connection) -> None:
    register(db)
    before = value(db, "select count(*) from agentdb.web_action")
    for path in ACTIONS:
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            answer = ann.client.request(method, path + "?reason=x&really=1")
            assert answer.status_code in (200, 404, 405), (method, path)
    assert value(db, "select count(*) from agentdb.web_action") == before
    assert paused(db) == 0


def test_no_other_page_acts(ann: Browser, db: Connection) -> None:
    """CSRF: neither without the token, nor from elsewhere with it."""
    register(db)
    token, other = ann.csrf(), "https://evil.example"
    path, fields = "/agent/a/pause", {"reason": "x"}
    assert ann.post(path, fields, csrf="").status_code == 403
    assert ann.post(path, fields, csrf="x" * 43).status_code == 403
    # The guard of the whole server is first.
    assert ann.post(path, fields, csrf=token, origin=other).status_code == 421
    elsewhere: list[dict[str, str]] = [
        {},
        {"referer": other},
        {"referer": "null"},
        {"referer": f"{ann.url}.evil.example/"},
        {"referer": ann.url, "sec-fetch-site": "cross-site"},
        {"referer": ann.url, "sec-fetch-site": "same-site"},
    ]
    for headers in elsewhere:
        answer = ann.post(path, fields, csrf=token, origin=None, **headers)
        assert answer.status_code == 403, headers
    kind = ann.post(path, fields, csrf=token, **{"content-type": "text/plain"})
    assert kind.status_code == 415
    assert paused(db) == 0
    assert (
        ann.post(path, fields, csrf=token, origin=None, referer=ann.url).status_code
        == 303
    )
    assert paused(db) == 1


def test_a_token_is_of_its_own_session(
    page: str, db: Connection, connect: Connect
) -> None:
    register(db)
    ann = log_in(page, db, connect, "operator_o")
    mallory = log_in(page, db, connect, "auditor_u")
    stolen = ann.post("/agent/a/pause", {"reason": "x"}, csrf=mallory.csrf())
    assert stolen.status_code == 403 and paused(db) == 0
    # Nor is one of a visitor worth anything to who has logged in.
    guest = Browser(page).csrf("/login/link")
    assert ann.post("/agent/a/pause", {"reason": "x"}, csrf=guest).status_code == 403


def test_another_name_leads_nowhere(ann: Browser) -> None:
    """DNS rebinding: a name that somebody else made lead here."""
    for path in ("/", "/login", "/static/x"):
        answer = ann.get(path, host="evil.example")
        assert answer.status_code == 421
    assert ann.post("/logout", csrf="x", host="evil.example").status_code == 421


def test_what_every_page_tells_the_browser(page: str, ann: Browser) -> None:
    for answer in (
        ann.get("/"),
        ann.get("/login"),
        ann.get("/nowhere"),
        Browser(page).get("/"),
        Browser(page).get("/login/link?token=x"),
        ann.post("/agent/a/pause", csrf="x"),
    ):
        told = answer.headers
        policy = told["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "http" not in policy
        assert told["x-frame-options"] == "DENY"
        assert told["x-content-type-options"] == "nosniff"
        assert told["referrer-policy"] == "same-origin"
        assert told["cache-control"] == "no-store"
        assert not re.search(
            r"<script(?! src=\"/static/)|\sstyle=|\son\w+=", answer.text
        )


def test_redirects_stay_here(page: str, db: Connection, connect: Connect) -> None:
    session = connect(db.info.dbname, "operator_o")
    for to in (
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:x",
    ):
        token = value(session, "select agentdb.make_web_link()")
        answer = Browser(page).post("/login/link", {"token": token, "next": to})
        assert answer.headers["location"] == "/"
    for path, wanted in (
        ("/run/12?from=1", "/run/12?from=1"), ("", "/"), ("/a\r\nset-cookie: x", "/"),
        ("/ä", "/"), ("run", "/"), ("///x", "/"),
    ):  # fmt: skip
        assert local_path(path) == wanted
    register(db)
    ann = log_in(page, db, connect, "operator_o")
    done = ann.post("/agent/a/pause", {"reason": "x", "next": "//evil.example"})
    assert done.headers["location"] == "/"


def test_what_is_typed_into_a_page_stays_text(ann: Browser) -> None:
    """XSS by an address, by a field, and by what the database repeats."""
    attack = "<script>alert(1)</script>"
    assert attack not in ann.get(f"/login/link?token={attack}").text
    assert attack not in ann.get(f"/login?next={attack}").text
    ann.post(f"/agent/{attack.replace('/', '')}/pause", {"reason": attack})
    shown = ann.get("/").text
    assert "<script>alert" not in shown


def test_a_form_has_bounds(ann: Browser) -> None:
    token = ann.csrf()
    assert (
        ann.post("/silence", {"reason": "x" * (1 << 20)}, csrf=token).status_code == 413
    )
    many = [("keep", "1")] * 10_001
    assert ann.post("/silence", many, csrf=token).status_code == 400
    raw = ann.client.post(
        "/silence",
        content=b"csrf=%ff\xff",
        headers={
            "origin": ann.url,
            "content-type": "application/x-www-form-urlencoded",
        },
    )
    assert raw.status_code == 400


def test_a_viewer_only_looks(page: str, db: Connection, connect: Connect) -> None:
    register(db)
    auditor = log_in(page, db, connect, "auditor_u")
    auditor.post("/agent/a/pause", {"reason": "x"})
    assert "grant agentdb_operator to auditor_u" in auditor.said()
    assert paused(db) == 0
    refused = "select action, sqlstate from agentdb.web_action"
    assert db.execute(refused).fetchall() == [("pause_agent", "42501")]


def test_the_time_zone_is_the_readers(page: str) -> None:
    browser = Browser(page)
    answer = browser.post(
        "/zone", {"zone": "Europe/Vienna"}, csrf=browser.csrf("/login/link")
    )
    assert answer.status_code == 303
    assert "zone=Europe%252FVienna" in answer.headers["set-cookie"] or (
        "zone=Europe%2FVienna" in answer.headers["set-cookie"]
    )
    bad = browser.post(
        "/zone", {"zone": "../../etc/passwd"}, csrf=browser.csrf("/login/link")
    )
    assert bad.status_code == 400


def test_a_page_says_that_the_database_is_away(
    server: Server, db: Connection, connect: Connect
) -> None:
    with paging(server, db) as url:
        ann = log_in(url, db, connect, "operator_o")
        assert ann.get("/").status_code == 200
        db.execute("alter role serve_s nologin")
        try:
            db.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where usename = 'serve_s'"
            )
            answers = {ann.get("/").status_code for _ in range(4)}
            assert answers == {503}
        finally:
            db.execute("alter role serve_s login")


def test_sessions_are_bounded() -> None:
    settings = DoorSettings(frozenset({"link"}), most_sessions=5, most_of_one=2)
    sessions = Sessions(settings)
    mine = [sessions.open("role a", "link") for _ in range(3)]
    assert sessions.find(mine[0].key) is None and sessions.find(mine[2].key)
    for number in range(10):
        sessions.open(f"role {number}", "link")
    assert len(sessions) == 5
    over = DoorSettings(frozenset({"link"}), longest=-1.0)
    ended = Sessions(over)
    assert ended.find(ended.open("role a", "link").key) is None
    idle = Sessions(DoorSettings(frozenset({"link"}), idle=-1.0))
    assert idle.find(idle.open("role a", "link").key) is None


def test_guessing_gets_slower_and_locks_nobody_out() -> None:
    slow = Slow()
    assert slow.delay(["role a"]) == 0
    slow.failed(["role a", "from x"])
    assert slow.delay(["role a"]) == slow.delay(["from x"]) == FIRST
    slow.failed(["role a"])
    assert slow.delay(["role a"]) == 2 * FIRST and slow.delay(["role b"]) == 0
    for _ in range(100):
        slow.failed(["role a"])
    assert slow.delay(["role a"]) == LONGEST
    slow.succeeded("role a")
    assert slow.delay(["role a"]) == 0


def test_who_guesses_takes_no_place_of_others() -> None:
    slow = Slow()
    for _ in range(4):
        slow.failed(["from x"])

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(MOST_FROM_ONE):
                group.start_soon(slow.wait, ("from x", "role a"))
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(TooMany):
                await slow.wait(("from x", "role b"))
            await slow.wait(("from y", "role a"))
            group.cancel_scope.cancel()

    anyio.run(main)


def test_settings_that_let_anybody_in_are_refused() -> None:
    with pytest.raises(ValueError, match="--proxy-from"):
        DoorSettings(frozenset({"proxy"}))
    with pytest.raises(ValueError, match="--oidc-issuer"):
        DoorSettings(frozenset({"oidc"}))
    with pytest.raises(ValueError, match="https"):
        Oidc("http://issuer.example", "client")
    with pytest.raises(ValueError):
        peers(["10.0.0.1/8"])
    for url in ("agents.example", "ftp://x", "https://x/under"):
        with pytest.raises(ValueError):
            DoorSettings(frozenset({"link"}), public_url=url)


def test_every_way_in_is_known() -> None:
    """A POST is made by post() alone, which asks for token and origin."""
    for route in [*action.routes(), *ways.routes()]:
        assert isinstance(route, Route)
        if route.methods and "POST" in route.methods:
            assert route.methods == {"POST"}
            assert route.endpoint.__qualname__ == "post.<locals>.endpoint"


def test_nobody_calls_what_is_for_others(db: Connection, connect: Connect) -> None:
    for login in ("agent_a", "operator_o", "reviewer_r", "auditor_u", "intake_i"):
        session = connect(db.info.dbname, login)
        for call in (
            "agentdb.kill_run_for('role operator_o', 1, 'x')",
            "agentdb.redeem_web_link('adbw_x')",
            "agentdb.note_refusal('x', 'x', '{}', 'x')",
            "agentdb.rights_of_person('x')",
        ):
            assert refusal(session, f"select {call}").sqlstate == "42501", (login, call)


def test_what_is_sent_without_a_session_is_said_not_to_be_done(
    page: str, db: Connection, connect: Connect
) -> None:
    ann = log_in(page, db, connect, "operator_o")
    token = ann.csrf()
    ann.post("/logout", csrf=token)
    before = f"{page.rstrip('/')}/alert/7"
    answer = ann.post(
        "/alert/7/acknowledge", {"comment": "x"}, csrf=token, referer=before
    )
    assert answer.status_code == 303
    to = answer.headers["location"]
    assert to == "/login?lost=1&next=/alert/7"
    assert "What you sent was not done" in ann.get(to).text
    assert "What you sent was not done" not in ann.get("/login").text


def test_what_is_sent_while_the_database_is_away_is_said_not_to_be_done(
    page: str, db: Connection, connect: Connect
) -> None:
    ann = log_in(page, db, connect, "operator_o")
    token = ann.csrf()
    db.execute("alter role serve_s nologin")
    try:
        db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'serve_s' and datname = current_database()"
        )
        answers = [
            ann.post("/silence/1/end", csrf=token, referer=f"{page}/silences")
            for _ in range(2)
        ]
    finally:
        db.execute("alter role serve_s login")
    for answer in answers:
        assert answer.status_code == 503
        assert 'href="/silences"' in answer.text
    # What was open when it went away is not known to have been of no effect.
    assert "was not done" in answers[-1].text


def test_a_time_zone_that_is_none_is_refused_in_words(page: str) -> None:
    browser = Browser(page)
    token = browser.csrf("/login/link")
    for name, said in (
        ("nonsense", "one is Europe/Berlin"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
    ):
        answer = browser.post("/zone", {"zone": name}, csrf=token)
        assert answer.status_code == 400 and said in answer.text, name
    browser.client.cookies.set("zone", "nonsense")
    assert browser.get("/login").status_code == 200
