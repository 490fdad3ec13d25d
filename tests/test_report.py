"""A run on one time axis: the same marks in SQL, as a picture, in a terminal, a file."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row

from agentdb.report import line, svg
from agentdb.report.read import read
from agentdb.report.scale import Scale
from agentdb.report.story import MOST, Mark, Story

from .agents import register, rows, start, value
from .commands import Said, run
from .conftest import Connect, Connection

EVIL = "\x1b[2J<script>alert(1)</script>|`*[x](http://evil.example)\u202e@all"
TABLE = """
create table public.stock (id integer primary key, n integer);
select agentdb.audit_table('public.stock');
grant select, insert, update on public.stock to agent_a
"""
WORK = """
select agentdb.log_tokens(100, 10, cached_input => 900, model => 'm-1');
select agentdb.log_tool_call('search', '{"q": 1}', true, result_size => 500);
select agentdb.log_tool_call('search', '{"q": 1}', true);
select agentdb.log_tool_call('search', '{"q": 2}', false, 'timed out');
select agentdb.log_tool_call('serach', '{"q": 3}', false, 'no such tool');
select agentdb.log_progress('half of it');
select agentdb.acquire_lock('hourly', '1 hour');
select agentdb.release_lock('nightly', a.fence)
from agentdb.acquire_lock('nightly', '1 hour') as a;
insert into public.stock select i, 0 from generate_series(1, 50) as i;
update public.stock set n = 1 where id = 7;
select agentdb.claim_rows('public.stock', 'insert', keys => '[{"id": 99}]');
select agentdb.ask_human('go on?');
select agentdb.begin_tool_call('build', '{}', call_id => 'b1')
"""


@pytest.fixture
def worked(db: Connection, connect: Connect) -> Connection:
    """The session of an agent that has done one of everything, in run 1."""
    for statement in TABLE.split(";"):
        db.execute(statement.encode())
    db.execute("select agentdb.register_tool('search')")
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    for statement in WORK.split(";"):
        session.execute(statement.encode())
    return session


@pytest.fixture
def agentdb(db: Connection, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """The command line at the database."""
    return lambda *words: run(monkeypatch, [*words], db.info.dsn)


def marks(db: Connection, extra: str = "") -> list[dict[str, object]]:
    return rows(db, f"select * from agentdb.run_marks(1{extra})")


def told(db: Connection, **within: datetime) -> Story:
    """Return the run as every form gets it."""
    with psycopg.connect(db.info.dsn, row_factory=dict_row) as connection:
        story = read(connection, 1, **within)
    assert story is not None
    return story


def test_every_kind_is_one_mark(db: Connection, worked: Connection) -> None:
    db.execute("select agentdb.pause_agent('a', 'look')")
    kinds = Counter(str(mark["kind"]) for mark in marks(db))
    assert kinds == {
        "start": 1, "tokens": 1, "tool call": 5, "progress": 1, "lock": 2, "write": 2,
        "claim": 1, "question": 1, "stop": 1,
    }  # fmt: skip
    assert kinds["write"] == value(
        db, "select count(distinct statement) from agentdb.audit_log where run_id = 1"
    )


def test_marks_say_what_is_wrong(db: Connection, worked: Connection) -> None:
    # What is unknown is found out by the runner.
    db.execute(
        "insert into agentdb.tool_fault (run_id, tool_call_log_id, fault)"
        " select run_id, tool_call_log_id, 'unknown' from agentdb.tool_call_log"
        " where tool = 'serach'"
    )
    calls = [mark for mark in marks(db) if mark["kind"] == "tool call"]
    assert [(c["what"], c["note"]) for c in calls] == [
        ("search", None),
        ("search", "repeat"),
        ("search: timed out", "error"),
        ("serach: no such tool", "unknown"),
        ("build in flight", None),
    ]
    assert calls[0]["amount"] == 500
    assert calls[-1]["ends_at"] is None


def test_amounts_are_those_of_the_logs(db: Connection, worked: Connection) -> None:
    (used,) = [mark for mark in marks(db) if mark["kind"] == "tokens"]
    assert (used["what"], used["amount"], used["output"]) == ("m-1", 1000, 10)
    written = {m["what"]: m["amount"] for m in marks(db) if m["kind"] == "write"}
    assert written == {
        "insert public.stock, 50 rows": 50,
        'update public.stock {"id": 7}': 1,
    }


def test_lock_is_as_long_as_it_was_held(db: Connection, worked: Connection) -> None:
    held = {m["what"]: m["ends_at"] for m in marks(db) if m["kind"] == "lock"}
    ended = value(db, "select recorded_at from agentdb.lock_log where run_id = 1")
    assert held == {"nightly released": ended, "hourly": None}


def test_window_has_what_is_in_it(db: Connection, worked: Connection) -> None:
    at = value(db, "select recorded_at from agentdb.progress_log")
    within = rows(
        db, "select kind from agentdb.run_marks(1, %s, %s)",
        at, at + timedelta(microseconds=1),
    )  # fmt: skip
    assert [mark["kind"] for mark in within] == ["progress"]
    assert len(told(db, since=at).marks) < len(told(db).marks)


def test_long_run_tells_its_end(
    db: Connection, worked: Connection, agentdb: Callable[..., Said]
) -> None:
    worked.execute(
        "select agentdb.log_progress('step ' || i)"
        " from generate_series(1, %s::integer) as i",
        [MOST + 5],
    )
    story = told(db)
    assert story.cut and len(story.marks) == MOST
    assert story.marks[-1].what == f"step {MOST + 5}"
    assert "The latest 5,000 events" in agentdb("report", "1").out


def test_a_call_of_ages_breaks_no_report(
    db: Connection, worked: Connection, agentdb: Callable[..., Said]
) -> None:
    """The agent says how long it took; it was told before there was a limit."""
    for statement in (
        "alter table agentdb.tool_call_log disable trigger user",
        "update agentdb.tool_call_log set duration = '290000 years' where tool = 'search'",
        "alter table agentdb.tool_call_log enable trigger user",
    ):
        db.execute(statement.encode())
    assert agentdb("report", "1").code == 0
    first = value(db, "select min(at) from agentdb.run_marks(1, 'epoch')")
    assert first == datetime(1970, 1, 1, tzinfo=timezone.utc)


def test_run_of_nothing_has_an_axis(db: Connection, connect: Connect) -> None:
    register(db)
    start(connect(db.info.dbname, "agent_a"))
    story = told(db)
    ElementTree.fromstring(svg.axis(story))
    assert line.axis(story)


def test_picture_is_xml_without_style_or_script(
    db: Connection, worked: Connection
) -> None:
    worked.execute("select agentdb.log_progress(%s)", [EVIL.replace("\x00", "")])
    drawn = svg.axis(told(db), link=lambda a, b: f'?from={a}&to={b}"><script>')
    tree = ElementTree.fromstring(drawn)
    assert {e.tag.split("}")[1] for e in tree.iter()} <= {
        "svg", "g", "text", "line", "rect", "path", "title", "a",
    }  # fmt: skip
    names = {name for element in tree.iter() for name in element.attrib}
    assert not [name for name in names if name == "style" or name.startswith("on")]
    # A mark for each, or for those that are at one place.
    titles = [e.text or "" for e in tree.iter() if e.tag.endswith("title")]
    assert any("half of it" in title for title in titles)


def test_two_runs_share_a_scale(db: Connection, worked: Connection) -> None:
    story = told(db)
    wide = svg.axis(story, span=story.span * 2)
    last = max(
        float(x) for x in re.findall(r'class="axis-mark[^>]*translate\(([\d.]+)', wide)
    )
    assert last <= svg.LEFT + (1200 - svg.LEFT) / 2


@pytest.mark.parametrize("width", [24, 40, 80, 200])
def test_terminal_axis_keeps_its_width(
    db: Connection, worked: Connection, width: int
) -> None:
    lines = line.axis(told(db), width=width)
    assert max(map(len, lines[:-1])) <= width
    if width == 80:
        (calls,) = [text for text in lines if text.startswith("tool calls")]
        assert {"x", "r"} & set(calls)
        (locks,) = [text for text in lines if text.startswith("locks")]
        assert locks.endswith(">") and len(locks) == 80


def test_timeline_begins_with_the_axis(
    db: Connection, worked: Connection, agentdb: Callable[..., Said]
) -> None:
    assert agentdb("timeline", "1").out.startswith("tokens ")
    assert json.loads(agentdb("timeline", "1", "--json").out)


class Tags(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_html_file_needs_nothing_and_runs_nothing(
    db: Connection, worked: Connection, tmp_path: Path, agentdb: Callable[..., Said]
) -> None:
    worked.execute("select agentdb.log_progress(%s)", [EVIL])
    file = tmp_path / "run.html"
    assert agentdb("report", "1", "--with", "1", "--out", str(file)).code == 0
    text = file.read_text()
    page = Tags(text)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "a"}
    assert not {"src", "href", "style", "onload"} & page.attributes
    assert "&lt;script&gt;alert(1)" in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_markdown_obeys_nobody(
    db: Connection, worked: Connection, agentdb: Callable[..., Said]
) -> None:
    worked.execute("select agentdb.log_progress(%s)", [EVIL])
    text = agentdb("report", "1").out
    (row,) = [each for each in text.splitlines() if "alert(1)" in each]
    # Its bars are those of the table: seven columns.
    assert len(re.findall(r"(?<!\\)\|", row)) == 8
    assert "http:" not in row and "@all" not in row and r"\<script" in row
    assert not {"\x1b", "\u202e"} & set(text)
    assert re.search(r"^## Claims$", text, re.M) and "public.stock" in text


def test_json_is_all_of_it(
    db: Connection, worked: Connection, agentdb: Callable[..., Said]
) -> None:
    told = json.loads(agentdb("report", "1", "--format", "json").out)
    assert told["facts"]["run_id"] == 1
    assert len(told["marks"]) == len(marks(db))
    both = agentdb("report", "1", "--with", "1", "--format", "json").out
    assert len(json.loads(both)) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["4711"], "there is no run 4711"),
        (["1", "--with", "4711"], "there is no run 4711"),
        (["1", "--with", "x"], "'x' is no run"),
        (["1", "--out", "/tmp/report.pdf"], "ends in none of md, json, html"),
        (["1", "--out", "/nowhere/report.md"], "No such file"),
    ],
)
def test_wrong_report_is_refused(
    db: Connection,
    worked: Connection,
    words: list[str],
    said: str,
    agentdb: Callable[..., Said],
) -> None:
    done = agentdb("report", *words)
    assert done.code != 0 and said in done.err


def test_auditor_reads_marks_and_an_agent_does_not(
    db: Connection, worked: Connection, connect: Connect
) -> None:
    assert marks(connect(db.info.dbname, "auditor_u"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        marks(worked)


@given(
    since=st.datetimes(
        datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(timezone.utc)
    ),
    span=st.timedeltas(timedelta(milliseconds=10), timedelta(days=3650)),
    most=st.integers(1, 20),
)
def test_ticks_are_round_and_in_order(
    since: datetime, span: timedelta, most: int
) -> None:
    scale = Scale(since, span, 1000)
    ticks = scale.ticks(scale.step(most))
    assert len(ticks) <= most + 1
    assert all(since <= at <= since + span for at in ticks)
    places = [scale.place(at) for at in ticks]
    assert places == sorted(places)
    step = scale.step(most)
    assert all(b - a == step for a, b in pairwise(ticks))


def test_marks_outside_stay_on_the_axis() -> None:
    since = datetime(2026, 1, 1, tzinfo=timezone.utc)
    scale = Scale(since, timedelta(hours=1), 100)
    early, late = since - timedelta(days=1), since + timedelta(days=1)
    assert (scale.place(early), scale.place(late)) == (0, 100)
    assert Mark(early, None, "answer", "x").lane == "question"
