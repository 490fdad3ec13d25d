"""A copy of a database does not speak for its original."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from agentdb.cli import main

from .agents import row, rows, value
from .alerts import deliver, fire, flush, make_rule, receiver
from .conftest import Connection
from .ports import free_port
from .scene import Scene, until
from .servers import Server
from .test_runner_health import beat, page

CHECK_IN = "select agentdb.check_in(%s, %s)"


@pytest.mark.parametrize(
    ("visits", "refused"),
    [
        # (site, address) of each visit in turn; the last is refused or not.
        ([(None, "a:1/x"), (None, "a:1/x")], False),
        ([(None, "a:1/x"), (None, "b:1/x")], True),
        ([(None, "a:1/x"), ("home", "a:1/x"), ("home", "b:1/x")], False),
        ([("home", "a:1/x"), (None, "a:1/x")], False),
        ([("home", "a:1/x"), (None, "b:1/x")], True),
        ([("home", "a:1/x"), ("away", "b:1/x")], True),
        ([("home", "a:1/x"), ("away", "a:1/x")], False),
        ([(None, "a:1/x"), ("home", "b:1/x")], True),
    ],
)
def test_site_may_move_and_a_copy_may_not_speak(
    db: Connection, visits: list[tuple[str | None, str]], refused: bool
) -> None:
    *before, last = [value(db, CHECK_IN, site, at) for site, at in visits]
    assert before == [None] * len(before)
    assert (last is not None) == refused
    if refused:
        assert "agentdb adopt --as SITE" in last
        assert value(db, "select refused_address from agentdb.installation") == "b:1/x"


def test_adopted_copy_has_incidents_of_its_own(db: Connection, server: Server) -> None:
    make_rule(db)
    receiver(db, "phone")
    value(db, CHECK_IN, "home", "a:1/x")
    fire(db, "a")
    before = {each["dedup_key"] for each in deliver(db)}
    assert all(re.match(r"agentdb/home-[0-9a-f]{8}/", key) for key in before)
    fire(db, "b")
    flush(db)
    dsn = server.dsn(database=db.info.dbname, user="operator_o")
    said = CliRunner().invoke(main, ["adopt", "--as", "copy", "--dsn", dsn])
    assert (said.exit_code, said.output.splitlines()[0]) == (
        0,
        f"this database is site copy; {value(db, CANCELLED)} messages dropped",
    )
    assert value(db, CHECK_IN, "home", "a:1/x") is not None
    assert value(db, CHECK_IN, "copy", "b:1/x") is None
    fire(db, "c")
    after = {each["dedup_key"] for each in deliver(db)}
    assert after and all("/copy-" in key for key in after)


RUNNER = "select state, detail from agentdb.health_check where check_name = 'runner'"


def test_health_says_why_nothing_is_sent(db: Connection) -> None:
    value(db, CHECK_IN, "home", "a:1/x")
    refusal = value(db, CHECK_IN, None, "b:1/x")
    assert "site home at a:1/x, and the runner finds it at b:1/x" in refusal
    assert row(db, RUNNER) == {"state": "critical", "detail": refusal}
    beat(db, "evaluate", "flush", "send", "verify")
    found = row(db, RUNNER)
    assert found["state"] == "warning"
    assert found["detail"] == f"1 of 1 runners work; another is refused: {refusal}"
    # One that is refused tries again every few seconds: this one has gone.
    db.execute(
        "update agentdb.installation set refused_at = refused_at - '1 h'::interval"
    )
    assert row(db, RUNNER)["state"] == "ok"
    value(db, CHECK_IN, None, "b:1/x")
    db.execute("select agentdb.adopt('copy')")
    value(db, CHECK_IN, "copy", "b:1/x")
    assert row(db, RUNNER)["state"] == "ok"


CANCELLED = "select count(*) from agentdb.notification where state = 'cancelled'"


def test_runner_sends_nothing_of_a_copy_until_it_is_adopted(scene: Scene) -> None:
    db = scene.db
    scene.receiver()
    value(db, CHECK_IN, None, "the.original.example:5432/shop")
    scene.trouble()
    port = free_port()
    runner = scene.start_configured(f"[health]\naddress = '127.0.0.1:{port}'")
    until(lambda: scene.states().get("queued") == 1)
    until(lambda: "nothing is sent" in runner.log.read_text())
    assert scene.sink.received() == []
    status, said = page(port, "/healthz")
    assert (status, "agentdb adopt --as SITE" in said) == (503, True)
    for command in ("status", "notify test ok --wait 0"):
        out = CliRunner().invoke(main, [*command.split(), "--dsn", scene.dsn]).output
        assert "nothing is sent: this database" in " ".join(out.split()), out
    db.execute("select agentdb.adopt('copy')")
    scene.trouble(prefix="new")
    until(lambda: len(scene.sink.received()) >= 1)
    assert '"nothing_sent": null' in page(port, "/healthz")[1]
    assert rows(db, "select site from agentdb.installation") == [{"site": "copy"}]
    assert runner.stop() == 0
