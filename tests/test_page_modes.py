"""Each way in to the page: a proxy's header, a unix socket, and a database login."""

from __future__ import annotations

import contextlib
import getpass
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import psycopg
import pytest

from agentdb.serve.page.door import own

from .agents import register, row, start, value
from .changes import latest
from .page import Browser, log_in, paging

if TYPE_CHECKING:
    from .conftest import Connect, Connection
    from .servers import Server

HEADER = "x-forwarded-user"
PROXY = ("--login", "proxy", "--proxy-from", "127.0.0.1")
PEOPLE = {"ann@x": "operator_o", "rev@x": "reviewer_r", "own@x": "agent_a"}


def map_people(db: Connection) -> None:
    for subject, role in PEOPLE.items():
        db.execute("select agentdb.map_person(%s, %s)", [subject, role])


def propose(guarded: Connection, connect: Connect) -> int:
    agent = connect(guarded.info.dbname, "agent_a")
    agent.execute("set search_path = agentdb_stage, public")
    start(agent)
    agent.execute("update agentdb_stage.invoice set note = 'x' where id = 1")
    return int(latest(guarded)["change_id"])


def decide(browser: Browser, db: Connection) -> str:
    """Approve the latest change; return what the page says of it."""
    change = latest(db)
    path = f"/change/{change['change_id']}/approve"
    browser.post(path, {"digest": change["digest"]})
    return browser.said()


def test_a_proxy_names_who_asks(
    server: Server, guarded: Connection, connect: Connect
) -> None:
    propose(guarded, connect)
    map_people(guarded)
    guarded.execute("grant agentdb_reviewer to agent_a")
    try:
        with paging(server, guarded, *PROXY) as url:
            assert Browser(url).get("/").headers["location"] == "/login"
            # Who is mapped to nobody looks, and does nothing.
            viewer = Browser(url, {HEADER: "eve@x"})
            assert viewer.get("/").status_code == 200
            assert "eve@x is a viewer" in decide(viewer, guarded)
            html = viewer.get(f"/change/{latest(guarded)['change_id']}").text
            assert "<bdi>eve@x</bdi>, a viewer" in html
            assert "agentdb web map <bdi>eve@x</bdi> ROLE" in html
            html = Browser(url, {HEADER: "ann@x"}).get("/").text
            assert "<bdi>ann@x</bdi> as <bdi>operator_o</bdi>" in html
            assert "it is no reviewer" in decide(
                Browser(url, {HEADER: "ann@x"}), guarded
            )
            own = decide(Browser(url, {HEADER: "own@x"}), guarded)
            assert "may not decide change" in own
            assert latest(guarded)["state"] == "pending"
            assert "is applied" in decide(Browser(url, {HEADER: "rev@x"}), guarded)
    finally:
        guarded.execute("revoke agentdb_reviewer from agent_a")
    assert latest(guarded)["decisions"] == "reviewer_r by way of agentdb serve: approve"


def test_a_header_from_elsewhere_is_nobody(server: Server, db: Connection) -> None:
    map_people(db)
    elsewhere = ("--login", "proxy", "--proxy-from", "10.1.0.0/16")
    with paging(server, db, *elsewhere) as url:
        assert Browser(url, {HEADER: "ann@x"}).get("/").status_code == 303
    with paging(server, db) as url:
        assert Browser(url, {HEADER: "ann@x"}).get("/").status_code == 303


def test_a_header_that_is_none_is_refused(server: Server, db: Connection) -> None:
    map_people(db)
    db.execute("select agentdb.map_person('role operator_o', 'operator_o')")
    with paging(server, db, *PROXY) as url:
        for name in (
            "",
            "role operator_o",
            "user root",
            "a b",
            "ann@x, rev@x",
            "a;b",
            "x" * 300,
        ):
            assert Browser(url, {HEADER: name}).get("/").status_code == 400, name
        # A second header is the client's own, which a proxy let through.
        twice = [(HEADER, "ann@x"), (HEADER, "rev@x")]
        assert httpx.get(url, headers=twice, trust_env=False).status_code == 400


def test_a_proxys_session_is_of_whom_it_names(server: Server, db: Connection) -> None:
    register(db)
    map_people(db)
    with paging(server, db, *PROXY) as url:
        ann = Browser(url, {HEADER: "ann@x"})
        token, cookie = ann.csrf(), f"agentdb={ann.client.cookies['agentdb']}"
        # Her cookie and token are worth nothing without the proxy's word.
        alone = Browser(url, {"cookie": cookie})
        assert alone.get("/").status_code == 303
        path, fields = "/agent/a/pause", {"reason": "x"}
        alone.post(path, fields, csrf=token)
        other = Browser(url, {"cookie": cookie, HEADER: "eve@x"})
        assert other.post(path, fields, csrf=token).status_code == 403
        assert value(db, "select count(*) from agentdb.agent_stop") == 0
        ann.post(path, fields, csrf=token)
    stopped = value(db, "select stopped_by from agentdb.agent_stop")
    assert stopped == "operator_o by way of agentdb serve"


def test_behind_https_cookies_are_for_https(
    server: Server, db: Connection, connect: Connect
) -> None:
    public = ("--login", "link", "--public-url", "https://agents.example")
    token = value(
        connect(db.info.dbname, "operator_o"), "select agentdb.make_web_link()"
    )
    with paging(server, db, *public) as url:
        browser = Browser(url, {"host": "agents.example"})
        shown = browser.get(f"/login/link?token={token}")
        cookie = shown.headers["set-cookie"]
        assert cookie.startswith("__Host-agentdb-guest=") and "Secure" in cookie
        assert "strict-transport-security" in shown.headers
        guest = Browser(
            url, {"cookie": cookie.partition(";")[0], "host": "agents.example"}
        )
        csrf = guest.csrf("/login/link")
        fields = {"token": token}
        bad = guest.post(
            "/login/link", fields, csrf=csrf, origin="https://evil.example"
        )
        assert bad.status_code == 421
        mixed = guest.post(
            "/login/link", fields, csrf=csrf, origin="http://evil.example"
        )
        assert mixed.status_code == 421
        good = guest.post(
            "/login/link", fields, csrf=csrf, origin="https://agents.example"
        )
        assert good.status_code == 303
        assert "__Host-agentdb=" in good.headers["set-cookie"]


@contextlib.contextmanager
def by_socket(path: Path, **headers: str) -> Iterator[Browser]:
    transport = httpx.HTTPTransport(uds=str(path))
    yield Browser("http://localhost", headers, transport)


def test_a_unix_socket_knows_its_users(
    server: Server, db: Connection, tmp_path: Path
) -> None:
    register(db)
    path = tmp_path / "s"
    me = getpass.getuser()
    with paging(server, db, "--socket", str(path)) as url, by_socket(path) as browser:
        # A user of the machine is not somebody: programs are users too.
        assert browser.get("/").status_code == 303
        db.execute("select agentdb.map_person(%s, 'operator_o')", [f"user {me}"])
        assert browser.get("/").status_code == 200
        browser.post("/agent/a/pause", {"reason": "x"})
        assert "is paused" in browser.said()
        # That is no way in by TCP, whatever is said there.
        for header in (HEADER, "x-agentdb-user"):
            assert Browser(url, {header: f"user {me}"}).get("/").status_code == 303
        assert browser.get("/", host="evil.example").status_code == 421
    stopped = value(db, "select stopped_by from agentdb.agent_stop")
    assert stopped == "operator_o by way of agentdb serve"


def test_a_proxy_at_a_unix_socket_is_one_by_its_user(
    server: Server, db: Connection, tmp_path: Path
) -> None:
    map_people(db)
    me, path = getpass.getuser(), tmp_path / "s"
    for user, status in ((me, 200), ("nobody", 303)):
        options = ("--login", "proxy", "--proxy-from", f"unix:{user}")
        with (
            paging(server, db, *options, "--socket", str(path)),
            by_socket(path, **{HEADER: "ann@x"}) as browser,
        ):
            assert browser.get("/").status_code == status


PASSWORD = "a long one"


@pytest.fixture
def passwords(server: Server, db: Connection) -> Iterator[None]:
    """Have the server ask three people for a password, and nobody else."""
    roles = {
        "person_o": "agentdb_operator",
        "person_r": "agentdb_reviewer",
        "person_n": None,
    }
    path = Path(value(db, "show hba_file"))
    try:
        before = path.read_text()
    except OSError as error:
        pytest.skip(f"the server's pg_hba.conf is not ours to write: {error}")
    owner = path.stat()
    for name, group in roles.items():
        db.execute(f"create role {name} login password '{PASSWORD}'".encode())
        if group:
            db.execute(f"grant {group} to {name}".encode())
    lines = "".join(f"local all {name} scram-sha-256\n" for name in roles)
    path.write_text(lines + before)
    os.chown(path, owner.st_uid, owner.st_gid)
    db.execute("select pg_reload_conf()")
    dsn = server.dsn(database=db.info.dbname, user="person_o")
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            psycopg.connect(dsn, passfile="/dev/null").close()
        except psycopg.OperationalError:
            break
        time.sleep(0.05)
    yield
    path.write_text(before)
    db.execute("select pg_reload_conf()")
    for name in roles:
        db.execute(f"drop owned by {name}".encode())
        db.execute(f"drop role {name}".encode())


def enter(
    url: str, role: str, password: str = PASSWORD
) -> tuple[Browser, httpx.Response]:
    browser = Browser(url)
    fields = {"role": role, "password": password}
    return browser, browser.post("/login/database", fields, csrf=browser.csrf("/login"))


DATABASE = ("--login", "database")


@pytest.mark.usefixtures("passwords")
def test_a_database_login_is_the_role_itself(server: Server, db: Connection) -> None:
    register(db)
    db.execute("grant agentdb_auditor to person_o")
    with paging(server, db, *DATABASE) as url:
        ann, answer = enter(url, "person_o")
        assert answer.status_code == 303
        assert ann.get("/").status_code == 200
        ann.post("/agent/a/pause", {"reason": "x"})
        assert "is paused" in ann.said()
        # In its own session: the record needs no "by way of".
        assert value(db, "select stopped_by from agentdb.agent_stop") == "person_o"
        assert value(db, "select count(*) from agentdb.web_action") == 0
        ann.post("/logout")
        assert ann.get("/").status_code == 303


@pytest.mark.usefixtures("passwords")
def test_grants_decide_what_a_database_login_reads(
    server: Server, db: Connection
) -> None:
    with paging(server, db, *DATABASE) as url:
        nobody, answer = enter(url, "person_n")
        assert answer.status_code == 303
        shown = nobody.get("/")
        assert shown.status_code == 403
        assert "grant agentdb_auditor to person_n" in shown.text


@pytest.mark.usefixtures("passwords")
def test_what_was_wrong_is_not_said(server: Server, db: Connection) -> None:
    with paging(server, db, *DATABASE) as url:
        said = set()
        for role, password in (
            ("person_o", "wrong"), ("person_x", PASSWORD), ("person_o", ""), ("", PASSWORD),
            ("agentdb_operator", PASSWORD),
        ):  # fmt: skip
            browser, answer = enter(url, role, password)
            assert answer.status_code == 403
            said.add(browser.client.get("/login").status_code)
            assert "role or the password is wrong" in answer.text
            assert browser.get("/").status_code == 303
        assert said == {200}
        # And nobody is locked out by who guessed.
        assert enter(url, "person_o")[1].status_code == 303


@pytest.mark.usefixtures("passwords")
def test_a_server_that_trusts_us_lets_nobody_in(server: Server, db: Connection) -> None:
    """`trust` and `peer` ask for no password, so that any would do."""
    superuser = db.info.user
    with paging(server, db, *DATABASE) as url:
        for role in ("operator_o", "reviewer_r", superuser):
            browser, answer = enter(url, role, "anything")
            assert answer.status_code == 403
            assert browser.get("/").status_code == 303


@pytest.mark.usefixtures("passwords")
def test_ones_own_change_by_a_database_login(
    server: Server, db: Connection, guarded: Connection, connect: Connect
) -> None:
    """Proposed by hand, and by the same person's agent."""
    guarded.execute("grant agentdb_auditor to person_r")
    guarded.execute("grant select, update on invoice to person_r")
    dsn = server.dsn(database=guarded.info.dbname, user="person_r")
    with psycopg.connect(dsn, password=PASSWORD, autocommit=True) as person:
        person.execute("select agentdb.open_change('by hand')")
        person.execute("update agentdb_stage.invoice set note = 'r' where id = 1")
        person.execute("select agentdb.submit_change()")
    with paging(server, guarded, *DATABASE) as url:
        rev, answer = enter(url, "person_r")
        assert answer.status_code == 303
        assert "it proposed it" in decide(rev, guarded)
        assert latest(guarded)["state"] == "pending"
        propose(guarded, connect)
        assert "is applied" in decide(rev, guarded)
    assert latest(guarded)["decisions"] == "person_r: approve"
    guarded.execute("drop owned by person_r")


@pytest.mark.usefixtures("passwords")
def test_an_agents_owner_decides_nothing_of_it_by_a_database_login(
    server: Server, guarded: Connection
) -> None:
    guarded.execute("grant agentdb_agent, agentdb_auditor to person_n")
    dsn = server.dsn(database=guarded.info.dbname, user="person_n")
    try:
        guarded.execute("grant select, update on invoice to person_n")
        register(guarded, "own", "person_n")
        guarded.execute("grant agentdb_reviewer to person_n")
        with psycopg.connect(dsn, password=PASSWORD, autocommit=True) as agent:
            agent.execute("set search_path = agentdb_stage, public")
            start(agent)
            agent.execute("update agentdb_stage.invoice set note = 'x' where id = 1")
            with paging(server, guarded, *DATABASE) as url:
                own, answer = enter(url, "person_n")
                assert answer.status_code == 303
                assert "it is of the same agent" in decide(own, guarded)
                assert latest(guarded)["state"] == "pending"
    finally:
        guarded.execute("drop owned by person_n")


@pytest.mark.usefixtures("passwords")
def test_an_undo_by_a_database_login_writes_with_its_own_rights(
    server: Server, db: Connection, connect: Connect
) -> None:
    register(db)
    db.execute("create table public.plain (id int primary key, note text)")
    db.execute("grant select, insert on public.plain to agent_a")
    db.execute("select agentdb.audit_table('public.plain')")
    agent = connect(db.info.dbname, "agent_a")
    run = start(agent)
    agent.execute("insert into public.plain values (1, 'x')")
    with paging(server, db, *DATABASE) as url:
        ann, _ = enter(url, "person_o")
        ann.post(f"/run/{run}/undo", {"reason": "x", "really": "1"})
        assert "met a conflict" in ann.said()
        db.execute("grant select, delete on public.plain to person_o")
        shown = ann.post(f"/run/{run}/undo", {"reason": "x"})
        assert shown.status_code == 200 and "public.plain" in shown.text
        assert value(db, "select count(*) from public.plain") == 1
        ann.post(f"/run/{run}/undo", {"reason": "x", "really": "1"})
        assert "taken back, as change" in ann.said()
    assert value(db, "select count(*) from public.plain") == 0
    session = "select session_role from agentdb.audit where operation = 'delete'"
    assert value(db, session) == "person_o"


def test_a_login_that_is_not_offered_is_none(
    server: Server, db: Connection, connect: Connect
) -> None:
    token = value(
        connect(db.info.dbname, "operator_o"), "select agentdb.make_web_link()"
    )
    with paging(server, db, *PROXY) as url:
        browser = Browser(url)
        csrf = browser.csrf("/login/link")
        assert (
            browser.post("/login/link", {"token": token}, csrf=csrf).status_code == 404
        )
        given = {"role": "operator_o", "password": "x"}
        assert browser.post("/login/database", given, csrf=csrf).status_code == 404
        assert browser.get("/login/oidc").status_code == 404
        assert browser.get("/login/oidc/callback?code=x&state=y").status_code == 404
    assert row(db, "select used_at from agentdb.web_link")["used_at"] is None


def test_a_link_still_goes_where_it_is_offered(
    server: Server, db: Connection, connect: Connect
) -> None:
    with paging(server, db, *PROXY, "--login", "link") as url:
        ann = log_in(url, db, connect, "operator_o")
        assert "operator_o" in ann.get("/").text
        # Whoever logged in is not whom a header names besides.
        assert "operator_o" in ann.get("/", **{HEADER: "eve@x"}).text


@pytest.mark.usefixtures("passwords")
@pytest.mark.parametrize(
    "ends",
    ["alter role person_o nologin", "drop owned by person_o; drop role person_o"],
)
def test_who_is_locked_out_after_a_database_login_is_out(
    server: Server, db: Connection, ends: str
) -> None:
    db.execute("grant agentdb_auditor to person_o")
    with paging(server, db, *DATABASE) as url:
        ann, answer = enter(url, "person_o")
        assert answer.status_code == 303
        try:
            for statement in ends.split(";"):
                db.execute(statement.encode())
            assert ann.get("/").status_code == 303
        finally:
            made = "select from pg_roles where rolname = 'person_o'"
            if not db.execute(made).rowcount:
                db.execute("create role person_o")


@pytest.mark.usefixtures("passwords")
def test_a_password_is_asked_for_again(
    server: Server, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "PROVEN", 0.0)

    async def main() -> None:
        ann = own.Own(
            server.dsn(database=db.info.dbname, user="x"), "person_o", PASSWORD
        )
        async with ann.connection() as connection:
            await connection.execute("select 1")
        db.execute("alter role person_o password 'another'")
        with pytest.raises(psycopg.OperationalError):
            async with ann.connection():
                pass
        await ann.close()

    anyio.run(main)
