"""The live board: what it shows is in the database, and a key does what it says."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from agentdb.top.app import Top
from agentdb.top.board import explain, look

from .agents import evaluate, register, start, value
from .conftest import Connect, Connection
from .relay import Relay

Act = Callable[[Pilot[None]], Awaitable[None]]
EVIL = "\x1b[2J[bold]x[/] \u202e"
PATIENCE = 30.0


@pytest.fixture
def trouble(db: Connection, connect: Connect) -> Connection:
    """The session of an agent that holds a lock and calls the same again and again."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    session.execute("select agentdb.acquire_lock('nightly', '1 hour')")
    for _ in range(6):
        session.execute("select agentdb.log_tool_call('search', '{}', false, 'none')")
    db.execute("update agentdb.alert_rule set fire_after = '0'")
    db.execute(
        "update agentdb.alert_rule set enabled = false where rule_name <> 'silent_loop'"
    )
    evaluate(db)
    assert value(db, "select state from agentdb.alert") == "firing"
    return session


def at_board(dsn: str, act: Act, size: tuple[int, int] = (120, 40)) -> None:
    """Do something at the board once it has looked."""

    async def main() -> None:
        app = Top(dsn, every=3600)
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            await act(pilot)

    asyncio.run(main())


async def settle(pilot: Pilot[None]) -> None:
    """Wait until nothing is being read or done."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def answer(pilot: Pilot[None], text: str) -> None:
    """Type an answer, and wait until it is done."""
    await pilot.pause()
    await pilot.press(*text, "enter")
    await settle(pilot)


def shown(pilot: Pilot[None], table: str) -> list[list[str]]:
    """Return the cells of a table."""
    found = pilot.app.query_one(f"#{table}", DataTable)
    return [[str(cell) for cell in found.get_row_at(i)] for i in range(found.row_count)]


def test_board_shows_alert_agent_and_lock(db: Connection, trouble: Connection) -> None:
    async def act(pilot: Pilot[None]) -> None:
        ((alert, severity, state, *_),) = shown(pilot, "incidents")
        assert (alert, state) == ("A-1", "firing") and severity
        assert [row[:2] for row in shown(pilot, "agents")] == [["a", "looping"]]
        assert [row[:3] for row in shown(pilot, "locks")] == [
            ["nightly", "held", "run 1 of a"]
        ]

    at_board(db.info.dsn, act)


def test_narrow_board_shows_what_each_alert_is_about(
    db: Connection, trouble: Connection
) -> None:
    def seen(pilot: Pilot[None]) -> str:
        drawn = pilot.app.export_screenshot().replace("&#160;", " ")
        return re.sub(r"\s*<[^>]*>\s*", " ", drawn).replace("  ", " ")

    severity = value(db, "select severity from agentdb.alert")

    async def act(pilot: Pilot[None]) -> None:
        assert "silent_loop: run 1 of a is stuck" in seen(pilot)
        assert f"{severity} firing" in seen(pilot)
        await pilot.resize_terminal(120, 40)
        await settle(pilot)
        assert "Tokens/h" in seen(pilot) and "silent_loop: " not in seen(pilot)
        await pilot.resize_terminal(45, 24)
        await settle(pilot)
        await pilot.press("a")
        await answer(pilot, "mine")
        assert f"{severity} ack " in seen(pilot)

    at_board(db.info.dsn, act, size=(45, 24))


def test_agent_is_explained_with_how_far_its_usual_is_known(
    db: Connection, trouble: Connection
) -> None:
    (agent,) = look(db.info.dsn).agents
    assert "usual: learning, 0 of 7 days" in explain(db.info.dsn, agent)


def test_acknowledge_says_why(db: Connection, trouble: Connection) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("a")
        await answer(pilot, "mine")
        assert shown(pilot, "incidents")[0][2].startswith("ack ")

    at_board(db.info.dsn, act)
    assert value(db, "select acknowledge_comment from agentdb.alert") == "mine"


@pytest.mark.parametrize("key", ["a", "p", "k", "r"])
def test_escape_and_an_empty_answer_do_nothing(
    db: Connection, trouble: Connection, key: str
) -> None:
    before = state(db)

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await answer(pilot, " ")
        await pilot.press("escape")
        await settle(pilot)

    at_board(db.info.dsn, act)
    assert state(db) == before


def state(db: Connection) -> tuple[object, ...]:
    """Return what the keys change."""
    return tuple(
        value(db, f"select count(*) from agentdb.{each}")
        for each in (
            "alert where acknowledged_at is null", "stop_log", "lock_log",
            "run where ended_at is null",
        )
    )  # fmt: skip


def test_pause_and_resume(db: Connection, trouble: Connection) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("tab", "p")
        await answer(pilot, "look")
        assert shown(pilot, "agents")[0][1] == "paused"
        assert value(db, "select reason from agentdb.agent_stop") == "look"
        await pilot.press("p")
        await answer(pilot, "well")

    at_board(db.info.dsn, act)
    assert value(db, "select count(*) from agentdb.agent_stop") == 0


def test_kill_of_an_incident_is_of_its_run(db: Connection, trouble: Connection) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("k")
        await answer(pilot, "it loops")
        assert shown(pilot, "incidents") == []

    at_board(db.info.dsn, act)
    assert value(db, "select outcome from agentdb.run") == "killed"
    assert value(db, "select count(*) from agentdb.agent_stop") == 0


def test_release_takes_the_lock(db: Connection, trouble: Connection) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("r")
        await answer(pilot, "hung")
        assert shown(pilot, "locks") == []

    at_board(db.info.dsn, act)
    assert value(db, "select reason from agentdb.lock_log") == "hung"


def test_refusal_is_shown_and_the_board_goes_on(
    db: Connection, trouble: Connection, connect: Connect
) -> None:
    auditor = connect(db.info.dbname, "auditor_u")

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("k")
        await answer(pilot, "may I?")
        (toast,) = pilot.app._notifications
        assert "permission denied" in toast.message
        assert shown(pilot, "incidents")

    at_board(auditor.info.dsn, act)


def test_who_may_not_look_is_told(
    db: Connection, trouble: Connection, connect: Connect
) -> None:
    agent = connect(db.info.dbname, "agent_a")

    async def act(pilot: Pilot[None]) -> None:
        line = str(pilot.app.query_one("#headline", Static).content)
        assert "permission denied" in line and shown(pilot, "incidents") == []

    at_board(agent.info.dsn, act)


def test_a_lock_called_like_a_slot_of_another_hides_none(
    db: Connection, trouble: Connection
) -> None:
    for _ in range(2):
        trouble.execute("select agentdb.acquire_slot('pool', 2)")
    trouble.execute("select agentdb.acquire_lock('pool slot 2')")

    async def act(pilot: Pilot[None]) -> None:
        assert len(shown(pilot, "locks")) == 4

    at_board(db.info.dsn, act)


def test_hostile_text_is_text(db: Connection, trouble: Connection) -> None:
    db.execute(
        "update agentdb.alert set annotations = annotations"
        " || jsonb_build_object('summary', %s::text)",
        [EVIL],
    )

    async def act(pilot: Pilot[None]) -> None:
        (row,) = shown(pilot, "incidents")
        assert row[-1] == "\ufffd[2J[bold]x[/] \ufffd"
        await pilot.press("enter")
        await pilot.pause()
        text = str(pilot.app.screen.query_one(Static).content)
        assert "[bold]x[/]" in text
        assert not {"\x1b", "\u202e"} & set(text)
        assert "ends_when: " in text

    at_board(db.info.dsn, act)


def test_database_that_goes_away_leaves_the_last_look(
    db: Connection, trouble: Connection
) -> None:
    with ExitStack() as stack:
        relay = stack.enter_context(Relay(db.info.host, db.info.port).relaying())

        async def act(pilot: Pilot[None]) -> None:
            stack.close()
            app = pilot.app
            assert isinstance(app, Top)
            app.refresh_board()
            await settle(pilot)
            assert shown(pilot, "incidents")
            line = str(app.query_one("#headline", Static).content)
            assert "the database is away" in line

        at_board(relay.dsn(db.info.dbname, db.info.user), act)


def test_real_process_in_a_real_terminal_ends_with_q(
    db: Connection, trouble: Connection
) -> None:
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "agentdb", "top", "--dsn", db.info.dsn],
        stdin=its, stdout=its, stderr=its,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
    )  # fmt: skip
    os.close(its)
    try:
        assert b"A-1" in read_until(ours, b"A-1")
        os.write(ours, b"q")
        read_until(ours, None)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(terminal: int, wanted: bytes | None) -> bytes:
    """Return what a terminal was sent until it holds something, or is closed."""
    told, ends = b"", time.monotonic() + PATIENCE
    while (wanted is None or wanted not in told) and time.monotonic() < ends:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                told += os.read(terminal, 65536)
            except OSError:
                break
    return told


def test_without_a_terminal_it_says_so(db: Connection) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agentdb", "top", "--dsn", db.info.dsn],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "needs a terminal" in done.stderr and "agentdb status" in done.stderr
