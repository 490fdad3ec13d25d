"""The pages, as the real server gives them to whoever is logged in."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from starlette.routing import Route

from agentdb.serve.page.routes import routes

from . import test_hostile_output as hostile
from .agents import evaluate, register, row, rows, start, value
from .alerts import fire, flush, make_rule
from .changes import latest
from .page import Browser, log_in, paging

if TYPE_CHECKING:
    from .conftest import Connect, Connection
    from .servers import Server

HTML = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
# Each page with what its address has to name.
NAMED = {
    "{alert:int}": "1", "{name:path}": "billing", "{run:int}": "1", "{other:int}": "1",
    "{kind:str}": "md", "{group:int}": "1", "{change:int}": "1", "{rule:str}": "silent_loop",
}  # fmt: skip
MORE = (
    "/incidents?all", "/agents?state=looping", "/agents?q=bill", "/runs?agent=billing",
    "/runs?open=1", "/changes?all", "/audit?table=customer",
    "/audit?table=customer&key=1", "/audit?run=1", "/tools?hours=24", "/costs?days=30",
    "/costs?csv", "/rule/tool_errors?every=1", "/run/1/report.json",
    "/run/1/report.html",
)  # fmt: skip


def addresses() -> list[str]:
    """Return the address of every page."""
    found = []
    for route in routes():
        if isinstance(route, Route):
            path = route.path
            for name, said in NAMED.items():
                path = path.replace(name, said)
            found.append(path)
    assert not [path for path in found if "{" in path]
    return [*found, *MORE]


@pytest.fixture
def page(server: Server, db: Connection) -> Iterator[str]:
    with paging(server, db) as url:
        yield url


@pytest.fixture
def ann(page: str, db: Connection, connect: Connect) -> Browser:
    """An operator who has logged in."""
    return log_in(page, db, connect, "operator_o")


@pytest.fixture
def desk(server: Server, guarded: Connection, connect: Connect) -> Iterator[Browser]:
    """A reviewer who has logged in to a page before guarded tables."""
    with paging(server, guarded) as url:
        yield log_in(url, guarded, connect, "reviewer_r")


def words(html: str) -> str:
    """Return what is read of a page."""
    said = re.sub(r"<(script|style|title)\b.*?</\1>|<[^>]+>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", said)


def test_every_page_of_an_empty_database_is_there(ann: Browser) -> None:
    for path in addresses():
        wants = 200
        if re.search("/(alert|agent|group|run|change)/", path):
            wants = 404
        assert ann.get(path).status_code == wants, path


def test_status_says_first_that_nobody_is_alerted(ann: Browser) -> None:
    html = ann.get("/").text
    assert "<h1><bdi>Nobody is alerted</bdi></h1>" in html
    assert "start agentdb run" in words(html)


def test_status_tells_what_fires_and_who_waits(
    ann: Browser, db: Connection, connect: Connect
) -> None:
    for loop in ("evaluate", "flush", "send", "verify"):
        db.execute("select agentdb.beat('r', %s, 'h', 1, 'v')", [loop])
    db.execute("update agentdb.alert_rule set evaluated_at = now()")
    db.execute("select agentdb.maintain(), agentdb.roll_up()")
    assert "All is well" in words(ann.get("/").text)
    make_rule(db)
    register(db, "billing")
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute("select from agentdb.ask_human('which of the two?')")
    fire(db, "x", agent="billing")
    said = words(ann.get("/").text)
    assert "1 incident is firing" in said and "1 question waits for somebody" in said
    assert "which of the two?" in said and "late" in said
    # A page that refreshes itself says where from, and what of it is taken.
    assert 'hx-get="/" hx-trigger="refresh"' in ann.get("/").text


def test_alert_has_its_evidence_and_what_can_be_done(
    ann: Browser, db: Connection, connect: Connect
) -> None:
    register(db, "billing")
    agent = connect(db.info.dbname, "agent_a")
    run = start(agent)
    agent.execute("select agentdb.log_tool_call('fetch') from generate_series(1, 6)")
    evaluate(db)
    alert = value(
        db, "select alert_id from agentdb.alert where rule_name = 'silent_loop'"
    )
    html = ann.get(f"/alert/{alert}").text
    said = words(html)
    assert "is stuck in a loop" in said and "fetch" in said
    assert f"agentdb kill {run}" in said
    for path in (f"/alert/{alert}/acknowledge", "/silence", f"/run/{run}/kill",
                 "/agent/billing/pause", f"/alert/{alert}/resolve"):  # fmt: skip
        assert f'action="{path}"' in html
    # Who may only look is not offered what would be refused.
    bob = log_in(ann.url, db, connect, "auditor_u")
    html = bob.get(f"/alert/{alert}").text
    assert "<form" in html and "/acknowledge" not in html and "agentdb ack A-" in html


def test_evidence_that_an_operator_wrote_does_nothing(
    ann: Browser, db: Connection
) -> None:
    make_rule(db)
    (alert,) = fire(db, "x")
    db.execute("create table public.spied (who text)")
    db.execute("grant insert on public.spied to public")
    for query in (
        "insert into public.spied values (session_user) returning who",
        "select 1) as e; insert into public.spied values ('x'); select * from (select 2",
        "select 1 from pg_sleep(60)",
        "select 100 % 7 as rest",
    ):
        db.execute(
            "update agentdb.alert_rule set evidence_query = %s where rule_name = 'late'",
            [query],
        )
        answer = ann.get(f"/alert/{alert}")
        assert answer.status_code == 200
        shown = "cannot be shown" in answer.text
        assert shown == ("rest" not in query), query
    assert rows(db, "select * from public.spied") == []


def test_run_has_its_axis_and_the_same_as_a_table(
    ann: Browser, db: Connection, connect: Connect
) -> None:
    register(db, "billing")
    agent = connect(db.info.dbname, "agent_a")
    run = start(agent, purpose="invoices of May", on_behalf_of="ticket 4711")
    agent.execute("select agentdb.log_tool_call('fetch', '{}', false, 'EACCES: no')")
    agent.execute("select agentdb.log_progress('found 3 invoices')")
    html = ann.get(f"/run/{run}").text
    said = words(html)
    assert "invoices of May" in said and "for ticket 4711" in said
    assert '<svg class="axis"' in html and "found 3 invoices" in said
    assert "EACCES" in said and "failed" in said
    link = re.search(r'class="axis-zoom" href="([^"]+)"', html)
    assert link is not None
    zoomed = ann.get(link[1].replace("&amp;", "&"))
    assert zoomed.status_code == 200 and "All of it" in zoomed.text
    empty = ann.get(f"/run/{run}?from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z")
    assert "Nothing in this time" in empty.text
    assert ann.get(f"/run/{run}?from=x&to=9999-99-99&page=-3").status_code == 200
    other = start(agent)
    both = words(ann.get(f"/run/{run}/with/{other}").text)
    assert f"Run {run} and run {other}" in both


def test_change_shows_the_digest_that_is_approved(
    desk: Browser, guarded: Connection, connect: Connect
) -> None:
    agent = connect(guarded.info.dbname, "agent_a")
    start(agent, on_behalf_of="Ada")
    agent.execute("select agentdb.log_progress('read the statement')")
    agent.execute("update agentdb_stage.invoice set state = 'paid', note = id::text")
    change = latest(guarded)
    html = desk.get(f"/change/{change['change_id']}").text
    said = words(html)
    assert f'name="digest" value="{change["digest"]}"' in html
    assert "for Ada" in said and "read the statement" in said
    assert "6 different values" in said and "open → becomes paid" in said
    assert "update public.invoice set" in html
    digest = {"digest": str(change["digest"])}
    answer = desk.post(f"/change/{change['change_id']}/approve", digest)
    assert answer.status_code == 303
    assert value(guarded, "select state from agentdb.change") == "applied"
    assert "reviewer_r" in words(desk.get(f"/change/{change['change_id']}").text)


def test_reviewer_can_read_all_of_what_is_approved(
    desk: Browser, guarded: Connection, connect: Connect
) -> None:
    agent = connect(guarded.info.dbname, "agent_a")
    start(agent)
    long = "a" * 4000 + "THE END"
    agent.execute("update agentdb_stage.invoice set note = %s where id = 1", [long])
    path = f"/change/{latest(guarded)['change_id']}"
    html = desk.get(path).text
    assert "THE END" not in html.partition("The same as SQL")[0]
    assert f'href="{path}?whole"' in html
    assert "THE END" in desk.get(f"{path}?whole").text.partition("The same as SQL")[0]


def test_incident_is_acknowledged_as_a_whole(ann: Browser, db: Connection) -> None:
    make_rule(db)
    db.execute("select agentdb.set_route('r', 'stdout', group_by => '{rule}')")
    fire(db, "x", "y", agent="billing")
    flush(db)
    group = value(db, "select max(alert_group_id) from agentdb.alert_group")
    assert f'href="/group/{group}"' in ann.get("/alert/1").text
    said = words(ann.get(f"/group/{group}").text)
    assert "2 alerts firing" in said and "Acknowledge all" in said
    known = {"comment": "both are known", "lasts": ""}
    ann.post(f"/group/{group}/acknowledge", known)
    assert value(
        db, "select count(*) from agentdb.alert where acknowledged_by is not null"
    ) == 2  # fmt: skip


def test_costs_are_those_of_a_day(
    ann: Browser, db: Connection, agent: Connection
) -> None:
    agent.execute("select from agentdb.log_tokens(10, 1, model => 'new', cost => 2)")
    db.execute("select agentdb.roll_up()")
    db.execute(
        "insert into agentdb.run_cost select run_id, day_at - interval '3 days', 'old',"
        " 1, 0, 5, 0, 1, 7, 0, 0, 0 from agentdb.run_cost"
    )
    today = words(ann.get("/costs").text)
    assert "new" in today and "old" not in today and "7.00" in today
    day = value(db, "select (now() at time zone 'UTC')::date - 3")
    then = words(ann.get(f"/costs?day={day}").text)
    assert "old" in then and "new" not in then
    # What is no day with costs is the last one that is.
    assert "new" in words(ann.get("/costs?day=x%27").text)


def test_history_of_a_row_and_what_it_was(
    server: Server, db: Connection, connect: Connect
) -> None:
    db.execute("create schema shop")
    db.execute("create table shop.note (id int primary key, said text)")
    db.execute("select agentdb.audit_table('shop.note')")
    db.execute("insert into shop.note values (1, 'first'), (2, 'other')")
    db.execute("update shop.note set said = 'second' where id = 1")
    at = value(db, "select min(recorded_at) from agentdb.audit").isoformat()
    with paging(server, db) as url:
        ann = log_in(url, db, connect, "operator_o")
        veiled = words(ann.get("/audit?table=shop.note&key=1").text)
        assert "permission denied" in veiled and "first → becomes second" in veiled
        assert "other" not in veiled
        # Neither the slider nor the way back is lost, and nobody says it was not there.
        query = {"table": "shop.note", "key": "1", "as_of": at}
        html = ann.client.get("/audit", params=query).text
        assert 'type="range" hidden' in html and "Back to now" in html
        assert "you may not select" in html and "The row was not there" not in html
        assert "shop.note" in ann.get("/audit").text
        db.execute("grant usage on schema shop to serve_s")
        db.execute("grant select on shop.note to serve_s")
        query = {"table": "shop.note", "key": "1", "as_of": at}
        html = ann.client.get("/audit", params=query).text
        assert "permission denied" not in html
        assert re.search(r"<dt><bdi>said</bdi></dt><dd><bdi>first</bdi>", html)
        # The slider is for who has scripts, its links for everybody.
        assert html.count("as_of=") >= 2 and 'type="range" hidden' in html


def test_audit_says_of_which_table_it_knows_nothing(
    ann: Browser, db: Connection
) -> None:
    db.execute("create table public.plain (id int primary key)")
    db.execute("create table public.kept (id int primary key)")
    db.execute("select agentdb.audit_table('public.kept')")
    db.execute("insert into public.kept values (7)")
    for name in ("plain", "public.plain"):
        said = words(ann.get(f"/audit?table={name}").text)
        assert f"{name} is not audited" in said
        assert f"select agentdb.audit_table('{name}');" in said
    for path in ("/audit?table=nothing", "/audit?table=nothing&key=1"):
        assert "There is no table nothing" in words(ann.get(path).text)
    said = words(ann.get("/audit?table=kept").text)
    assert "not audited" not in said and "no table" not in said and "id 7" in said


def test_cost_that_nobody_knows_is_not_nothing(
    ann: Browser, db: Connection, agent: Connection
) -> None:
    db.execute("select agentdb.roll_up()")
    assert "not known Open runs" not in words(ann.get("/agent/a").text)
    agent.execute("select from agentdb.log_tokens(1000, 10, model => 'new')")
    db.execute("select agentdb.roll_up()")
    assert "Cost today not known" in words(ann.get("/agent/a").text)
    assert "cost not known" in words(ann.get("/run/1").text)
    assert 'data-label="Cost"><span class="faint">not known' in ann.get("/runs").text
    assert 'data-label="Cost today"><span class="faint">not known' in (
        ann.get("/agents").text
    )
    agent.execute("select from agentdb.log_tokens(10, 1, model => 'new', cost => 2)")
    db.execute("select agentdb.roll_up()")
    assert "Cost today 2.00" in words(ann.get("/agent/a").text)


def test_how_far_an_agent_is_known_is_said(ann: Browser, db: Connection) -> None:
    register(db)
    learning = "learning, 3 of 7 days"
    db.execute(
        "insert into agentdb.token_half_hour"
        " select 1, date_bin('1 day', now(), 'epoch') - interval '3 days', 500, 0, 0, 0"
    )
    assert f"not known yet {learning}" in words(ann.get("/agents").text)
    said = words(ann.get("/agent/a").text)
    for measure in ("weighted tokens", "calls", "errors", "seconds of a tick"):
        assert f"{measure} \u2013 \u2013 0 {learning}" in said
    db.execute(
        "insert into agentdb.token_half_hour"
        " select 1, h, 2000, 0, 0, 0 from generate_series("
        "  date_bin('1 day', now(), 'epoch') - interval '28 days',"
        "  date_bin('1 day', now(), 'epoch') - interval '1 hour', '1 hour') as h"
        " on conflict do nothing"
    )
    db.execute("select agentdb.refresh_normal()")
    said = words(ann.get("/agent/a").text)
    assert "weighted tokens 2,000 1,000 672 knows hours of each weekday" in said
    assert "learning" not in words(ann.get("/agents").text)


def test_a_rule_speaks_of_any_run(ann: Browser, db: Connection) -> None:
    said = words(ann.get("/rule/no_progress").text)
    assert "the run shows a new step" in said and "{" not in said


def test_costs_as_a_file_hold_no_formula(
    ann: Browser, db: Connection, agent: Connection
) -> None:
    for model in ("=1+1", "\t=2", "@sum", "m-1", "-3"):
        agent.execute("select from agentdb.log_tokens(10, 1, model => %s)", [model])
    db.execute("select agentdb.roll_up()")
    answer = ann.get("/costs?csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    models = [each["model"] for each in csv.DictReader(io.StringIO(answer.text))]
    assert "m-1" in models and "'=1+1" in models and len(models) == 5
    assert not [each for each in models if each[0] in "=+-@\t\r"]


def test_times_are_in_the_zone_of_the_reader_with_utc_at_hand(
    ann: Browser, db: Connection
) -> None:
    make_rule(db)
    (alert,) = fire(db, "x")
    at = value(db, "select firing_at from agentdb.alert")
    ann.client.cookies.set("zone", "Asia/Kolkata")
    html = ann.get(f"/alert/{alert}").text
    assert f"{at:%Y-%m-%d %H:%M:%S} UTC" in html
    minute = (at.minute + 30) % 60
    assert re.search(rf">\d\d:{minute:02}:{at:%S}<", html)


def test_lists_are_paged(ann: Browser, db: Connection) -> None:
    db.execute(
        "insert into agentdb.agent (agent_name, role_name, pooled, policy_name)"
        " select 'agent-' || i, 'r' || i, true, 'default' from generate_series(1, 120) as i"
    )
    pages = [ann.get(f"/agents?page={n}").text for n in (1, 2, 3, 4)]
    names = [set(re.findall(r'href="/agent/(agent-\d+)"', html)) for html in pages]
    assert [len(each) for each in names] == [50, 50, 20, 0]
    assert len(set.union(*names)) == 120
    assert 'rel="next"' in pages[0] and 'rel="next"' not in pages[2]


def test_long_text_is_cut_and_says_so(
    ann: Browser, db: Connection, agent: Connection
) -> None:
    agent.execute(
        "select from agentdb.log_tool_call('read', '{}', false, %s)", ["long " * 3000]
    )
    agent.execute("select from agentdb.claim_file(%s)", ["/tmp/" + "long" * 500])
    agent.execute("select from agentdb.ask_human(%s)", ["long " * 399])
    for path in ("/run/1", "/agent/a", "/"):
        answer = ann.get(path)
        assert "more characters)" in answer.text and len(answer.text) < 60_000, path


def test_nothing_that_agents_write_gets_out_of_its_place(
    server: Server, db: Connection, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTML, terminal escapes, controls and bidi marks in every text there is."""
    evil = hostile.EVIL + HTML
    hostile.build(db, connect(db.info.dbname, "agent_a"))
    db.execute(hostile.SPOIL)
    monkeypatch.setattr(hostile, "EVIL", evil)
    with paging(server, db) as url:
        ann = log_in(url, db, connect, "operator_o")
        db.execute("set session_replication_role = replica")
        for each in rows(db, hostile.COLUMNS):
            # Who she is stays as it was.
            if not each["name"].startswith("agentdb.web_"):
                hostile.spoil(db, **each)
        spoiled, found = 0, {}
        for path in addresses():
            answer = ann.get(path)
            text = answer.text
            spoiled += "alert(1)" in text
            assert answer.status_code < 500, (path, words(text))
            if answer.headers["content-type"].startswith("text/html"):
                assert "<script>alert" not in text and "<img" not in text, path
            # What goes back as it came is shown to nobody.
            text = re.sub(r'<input type="(hidden|radio|checkbox)"[^>]*>', "", text)
            if lines := hostile.seen(text.replace("\r\n", "\n")):
                found[path] = lines[:2]
    assert found == {}, list(found)
    assert spoiled > 12


def test_a_title_is_text(ann: Browser, db: Connection) -> None:
    register(db, "billing")
    assert "<title>billing · agentdb</title>" in ann.get("/agent/billing").text


def test_no_page_has_style_or_script_of_its_own(ann: Browser, db: Connection) -> None:
    make_rule(db)
    fire(db, "x")
    flush(db)
    for path in addresses():
        answer = ann.get(path)
        if "attachment" in answer.headers.get("content-disposition", ""):
            continue
        text = answer.text
        assert not re.search(
            r"<style|<script>|\sstyle=|\son[a-z]+=|javascript:", text
        ), path


def test_parts_come_from_here_and_are_kept_by_the_browser(ann: Browser) -> None:
    html = ann.get("/").text
    parts = re.findall(r'(?:src|href)="(/static/[^"]+)"', html)
    assert len(parts) == 5
    for path in parts:
        assert ann.get(path).status_code == 200
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)
    assert ann.get("/static/../routes.py").status_code == 404
    assert ann.get("/static/%2e%2e/routes.py").status_code == 404


def test_what_is_not_there_is_said(ann: Browser) -> None:
    for path in ("/run/4711", "/alert/4711", "/change/4711", "/agent/nobody",
                 "/rule/none", "/run/99999999999999999999", "/run/1/report.exe"):  # fmt: skip
        answer = ann.get(path)
        assert answer.status_code == 404, path
        assert "there is no" in answer.text, path


def test_backtest_asks_only_rules_of_ours(ann: Browser, db: Connection) -> None:
    make_rule(db)
    said = words(ann.get("/rule/late").text)
    assert "it knows only the present" in said and "agentdb rules backtest late" in said
    said = words(ann.get("/rule/tool_errors").text)
    assert "What it would have fired" in said and "0 pages in a week" not in said
    assert row(db, "select count(*) as n from agentdb.alert")["n"] == 0
