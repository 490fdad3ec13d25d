"""Incidents played through: what happens, what the phone says, what `why` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from click.testing import CliRunner

from agentdb.channels.text import lines
from agentdb.cli import main
from agentdb.runner.loops.verify import verify
from agentdb.verify.claim import Limits

from .agents import age, evaluate, register, rows, start, value
from .alerts import deliver, ingest
from .conftest import Connect, Connection
from .scene import Scene
from .servers import Server

LOG = "select agentdb.log_tool_call(%s, %s::jsonb, ok => %s, error => %s)"


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    """An operator's connection string to an installed database."""
    return server.dsn(database=db.info.dbname, user="operator_o")


@pytest.fixture
def billing(db: Connection, connect: Connect) -> Connection:
    """The session of agent billing, with an open run."""
    register(db, "billing")
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


def agentdb(dsn: str, *words: str, code: int = 0, columns: int = 100) -> str:
    found = CliRunner(env={"COLUMNS": str(columns)}).invoke(
        main, [*words, "--dsn", dsn]
    )
    assert found.exit_code == code, found.output
    return found.output


def messages(db: Connection) -> list[list[str]]:
    """Deliver what waits, and return each message as a phone shows it."""
    return [lines(each["payload"]) for each in deliver(db)]


def move_on(db: Connection) -> None:
    """Let pending alerts have waited long enough, and keep_firing be over."""
    moved = ["active_at", "firing_at", "seen_at", "resolved_at"]
    sets = ", ".join(f"{column} = {column} - interval '11 minutes'" for column in moved)
    db.execute(f"update agentdb.alert set {sets}".encode())


def query(session: Connection, statement: str) -> None:
    """Do as a query tool does: run the SQL, and log what PostgreSQL said."""
    try:
        session.execute(statement.encode())
        raise AssertionError("that was allowed")
    except psycopg.Error as error:
        said = f"{error.diag.message_primary} ({error.sqlstate})"
    args = psycopg.types.json.Jsonb({"query": statement})
    session.execute(LOG, ["query", args, False, said])


def loop(session: Connection, times: int = 7) -> None:
    for _ in range(times):
        session.execute(LOG, ["search", '{"q": "x"}', True, None])


def diagnose(dsn: str) -> None:
    anyio.run(verify, dsn, Limits())


def number(db: Connection, rule: str) -> str:
    asked = "select 'A-' || alert_id from agentdb.alert where rule_name = %s"
    return str(value(db, asked, rule))


@pytest.fixture
def vault(db: Connection) -> None:
    """A table that no agent may read, in a schema that none may enter."""
    db.execute("create schema vault; create table vault.invoice (id int)")


def test_missing_right_is_named_wherever_a_person_looks(
    db: Connection, dsn: str, billing: Connection, vault: None
) -> None:
    for offset in range(6):
        query(billing, f"select id from vault.invoice offset {offset}")
    diagnose(dsn)
    evaluate(db)
    grants = [
        "grant usage on schema vault to agent_a;",
        "grant select on vault.invoice to agent_a;",
    ]
    (message,) = messages(db)
    assert "access_denied" in message[0]
    for grant in grants:
        assert f"fix: {grant}" in message
    assert "diagnosis: agent_a has no USAGE on schema vault" in message
    for words in (("why", number(db, "silent_loop")), ("why", "1"), ("timeline", "1")):
        said = agentdb(dsn, *words, columns=200)
        assert all(f"fix: {grant}" in said for grant in grants), words
    for grant in grants:
        db.execute(grant.encode())
    billing.execute("select id from vault.invoice")


@pytest.mark.parametrize(
    ("statement", "grants"),
    [
        (
            'delete from vault."Odd; Name" where id = 1',
            ['grant delete on vault."Odd; Name" to agent_a;'],
        ),
        (
            "with invoice as (select 1) insert into vault.note select * from invoice",
            ["grant insert on vault.note to agent_a;"],
        ),
        ("select 1; select * from invoice", ["grant select on vault.invoice to agent_a;"]),
        ("select * from nowhere.invoice", []),
        # No agent talks a person into opening these.
        ("select * from agentdb.agent_secret", []),
        ("select * from pg_authid", []),
    ],
)  # fmt: skip
def test_the_relation_is_found_in_the_sql_of_an_argument(
    db: Connection,
    dsn: str,
    billing: Connection,
    vault: None,
    statement: str,
    grants: list[str],
) -> None:
    db.execute("create table public.invoice (id int)")
    db.execute('create table vault."Odd; Name" (id int)')
    db.execute("create table vault.note (id int)")
    db.execute("grant usage on schema vault to agent_a")
    # An unqualified name is the one that the role's search path has first.
    db.execute("alter role agent_a set search_path = vault, public")
    billing.execute("set search_path = vault, public")
    try:
        query(billing, statement)
        diagnose(dsn)
    finally:
        db.execute("alter role agent_a reset search_path")
    (found,) = rows(db, "select diagnosis from agentdb.tool_error")
    fixes = [each["fix"] for each in found["diagnosis"] if each.get("fix")]
    assert fixes == grants, found
    assert found["diagnosis"]


def test_one_run_going_wrong_is_one_message(
    db: Connection, dsn: str, billing: Connection, vault: None
) -> None:
    for _ in range(12):
        query(billing, "select id from vault.invoice")
    evaluate(db)
    first = messages(db)
    move_on(db)
    evaluate(db)
    assert [m[0].split()[1] for m in first + messages(db)] == ["access_denied"]
    fires = "select rule_name from agentdb.alert where state = 'firing' order by 1"
    assert [each["rule_name"] for each in rows(db, fires)] == [
        "access_denied",
        "silent_loop",
        "tool_errors",
    ]
    # What it leaves behind in the windows is no news either.
    agentdb(dsn, "kill", "1", "--reason", "it loops", "--yes")
    evaluate(db)
    assert [m[0].split()[0] for m in messages(db)] == ["[RESOLVED]"]


def test_missing_right_of_several_runs_is_told_with_their_loops(
    db: Connection, connect: Connect, billing: Connection, vault: None
) -> None:
    for _ in range(12):
        query(billing, "select id from vault.invoice")
    billing.execute("select agentdb.end_run('failed')")
    start(billing)
    for _ in range(12):
        query(billing, "select id from vault.invoice")
    evaluate(db)
    move_on(db)
    evaluate(db)
    told = {message[0].split()[1] for message in messages(db)}
    assert told == {"access_denied"}


def test_kill_ends_the_alert_at_once_and_says_who_and_why(
    db: Connection, dsn: str, billing: Connection
) -> None:
    loop(billing)
    evaluate(db)
    (first,) = messages(db)
    assert "do: agentdb kill 1 --reason …" in first
    agentdb(dsn, "kill", "1", "--reason", "it asks the same again", "--yes")
    db.execute("select agentdb.flush()")
    (message,) = messages(db)
    assert message[0].startswith("[RESOLVED] silent_loop A-")
    assert re.fullmatch(
        r"silent_loop is over after \d+ s: run 1 was killed by operator_o: "
        "it asks the same again",
        message[1],
    )
    assert message[2].startswith("it was: run 1 of billing is stuck in a loop")
    # An evaluation that began before the kill does not wake it again.
    ingest = (
        "select agentdb.ingest(rule_name, evaluation, jsonb_build_array("
        "jsonb_build_object('labels', a.labels, 'annotations', a.annotations)))"
        " from agentdb.alert as a join agentdb.alert_rule as r using (rule_name)"
    )
    db.execute(ingest.encode())
    evaluate(db)
    assert messages(db) == []
    said = agentdb(dsn, "why", number(db, "silent_loop"))
    assert "run 1 was killed by operator_o: it asks the same again" in said
    log = "select to_state, comment from agentdb.alert_log order by alert_log_id"
    assert rows(db, log)[-1] == {
        "to_state": "resolved",
        "comment": "run 1 was killed by operator_o: it asks the same again",
    }


def test_kill_waits_for_no_runner_that_is_at_the_alert(
    db: Connection, dsn: str, billing: Connection, connect: Connect
) -> None:
    loop(billing)
    evaluate(db)
    messages(db)
    runner = connect(db.info.dbname)
    with runner.transaction():
        runner.execute("select from agentdb.alert for update")
        agentdb(dsn, "kill", "1", "--reason", "loops", "--yes")
    evaluate(db)
    (message,) = messages(db)
    assert "run 1 was killed by operator_o: loops" in message[1]


def end(billing: Connection) -> str:
    billing.execute("select agentdb.end_run('failed')")
    return "run 1 ended: failed"


def pause(billing: Connection, operator: Connection) -> str:
    operator.execute("select agentdb.pause_agent('billing', 'let me look')")
    return "run 1 was paused by operator_o: let me look"


@pytest.mark.parametrize("how", ["end", "pause"])
def test_run_that_stops_ends_its_alert_without_further_waiting(
    db: Connection, connect: Connect, billing: Connection, how: str
) -> None:
    loop(billing)
    evaluate(db)
    messages(db)
    operator = connect(db.info.dbname, "operator_o")
    expected = end(billing) if how == "end" else pause(billing, operator)
    evaluate(db)
    (message,) = messages(db)
    assert message[1].endswith(f": {expected}")


def test_loop_that_ends_by_itself_is_waited_for(
    db: Connection, billing: Connection
) -> None:
    loop(billing)
    evaluate(db)
    messages(db)
    billing.execute("select agentdb.log_progress('something new')")
    evaluate(db)
    assert messages(db) == []
    move_on(db)
    evaluate(db)
    (message,) = messages(db)
    assert message[1].endswith(
        ": rule silent_loop does not report it any more: run 1 logs a new step or makes "
        "an audited write, its failing call succeeds, or it ends"
    )


LOCKED: dict[str, tuple[Callable[[Connection, Connection], Any], str]] = {
    "released": (
        lambda agent, operator: agent.execute(
            "select agentdb.release_lock('nightly', %s)",
            [value(operator, "select fence from agentdb.lock_status")],
        ),
        "lock nightly of run 1: released by agent_a",
    ),
    "forced": (
        lambda _, operator: operator.execute(
            "select agentdb.force_release_lock('nightly', 'it hangs')"
        ),
        "lock nightly of run 1: taken away by operator_o: it hangs",
    ),
    "killed": (
        lambda _, operator: operator.execute("select agentdb.kill_run(1, 'it hangs')"),
        "run 1 was killed by operator_o: it hangs",
    ),
}


@pytest.mark.parametrize("how", LOCKED)
def test_lock_that_is_free_again_says_how(
    db: Connection, connect: Connect, billing: Connection, how: str
) -> None:
    billing.execute("select agentdb.acquire_lock('nightly', '10 minutes')")
    age(db, "lock", "acquired_at", "1 day")
    evaluate(db)
    (first,) = messages(db)
    assert "do: agentdb lock release nightly --reason …" in first
    act, expected = LOCKED[how]
    act(billing, connect(db.info.dbname, "operator_o"))
    evaluate(db)
    (message,) = messages(db)
    assert message[1].endswith(f": {expected}")


def test_question_that_is_answered_says_by_whom(
    db: Connection, connect: Connect, billing: Connection
) -> None:
    billing.execute("select agentdb.ask_human('Refund?')")
    evaluate(db)
    (first,) = messages(db)
    assert "do: agentdb answer Q-1 …" in first
    operator = connect(db.info.dbname, "operator_o")
    operator.execute("select agentdb.answer_question(1, 'no')")
    evaluate(db)
    (message,) = messages(db)
    assert message[1].endswith(": Q-1 was answered by operator_o")


def test_missed_tick_names_its_grace_and_the_start_that_ends_it(
    db: Connection, connect: Connect
) -> None:
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent, tick_interval="10 seconds")
    age(db, "run", "started_at", "81 seconds")
    evaluate(db)
    (message,) = messages(db)
    assert "late, 1 min of grace included; it comes every 10 s" in message[1]
    start(agent, tick_interval="10 seconds")
    evaluate(db)
    (message,) = messages(db)
    assert message[1].endswith(": run 2 of a started")


def test_span_of_a_loop_is_that_of_its_calls(
    db: Connection, billing: Connection
) -> None:
    loop(billing)
    age(db, "run", "started_at", "1 hour")
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute(
            "update agentdb.tool_call_log set recorded_at = recorded_at - interval"
            " '51 s' where tool_call_log_id = (select min(tool_call_log_id) from"
            " agentdb.tool_call_log)"
        )
    said = "select annotations ->> 'summary' from agentdb.rule_silent_loop(now() + %s::interval)"
    summaries = {value(db, said, after) for after in ("0", "10 minutes")}
    assert len(summaries) == 1
    assert "7 times in 51 s" in summaries.pop()


def test_short_silence_makes_no_message_of_its_own(
    db: Connection, connect: Connect, billing: Connection
) -> None:
    loop(billing)
    evaluate(db)
    operator = connect(db.info.dbname, "operator_o")
    kinds = [message[0].split()[0] for message in messages(db)]
    operator.execute("select agentdb.silence_alerts('agent=billing', '2 min', 'mine')")
    kinds += [message[0].split()[0] for message in messages(db)]
    for left in ("115 s", "15 s"):
        db.execute(
            "update agentdb.silence set created_at = created_at - %(by)s::interval,"
            " ends_at = ends_at - %(by)s::interval",
            {"by": left},
        )
        db.execute("update agentdb.alert_group set look_at = '-infinity';")
        evaluate(db)
        kinds += [message[0].split()[0] for message in messages(db)]
    assert kinds == ["[WARN]", "[SILENCED]", "[WARN]"]


def test_conflicts_of_one_cause_are_one_message(db: Connection) -> None:
    db.execute("update agentdb.alert_rule set enabled = false")
    labels = [
        {"change": str(i), "agent": "a", "run": "1", "table": "public.t"}
        for i in range(1, 5)
    ]
    ingest(db, [{"labels": each} for each in labels], "change_conflict")
    (message,) = messages(db)
    assert message[1].startswith("4 alerts: 4 change_conflict of a")
    ingest(
        db,
        [{"labels": {**each, "table": "public.u"}} for each in labels],
        "change_conflict",
    )
    ingest(db, [{"labels": {"table": "public.u"}}], "audit_gap")
    # Beside a gap in the audit of the table they are no news.
    kinds = [message[0] for message in messages(db)]
    assert [kind for kind in kinds if "audit_gap" in kind]
    assert not [kind for kind in kinds if kind.startswith("[CRIT] change_conflict")]


PAGE = Path(__file__).parent.parent / "docs" / "on-call.md"
# What differs from one incident to the next.
NAMES = (
    (r"A-\d+", "A-N"),
    (r"\b(run|timeline|kill|run=)( ?)\d+", r"\1\2N"),
    (r"\d{4}-\d\d-\d\d[T ][\d:]+(Z| UTC)", "TIME"),
    (r"(in|after) (?:\d+ (?:d|h|min|s) ?)+(?=[ :(])", r"\1 SPAN "),
    (r"billing_agent|agent_a", "ROLE"),
    (r"by (ana|operator_o)\b", "by WHO"),
    (r"\s+", " "),
)


def named(text: str) -> str:
    for pattern, name in NAMES:
        text = re.sub(pattern, name, text)
    return text.strip().replace(" :", ":")


def test_messages_of_the_page_are_those_that_the_code_makes(
    db: Connection, dsn: str, billing: Connection, vault: None
) -> None:
    for _ in range(6):
        query(billing, "select id from vault.invoice")
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        for table, column in (("run", "started_at"), ("tool_call_log", "recorded_at")):
            db.execute(
                f"update agentdb.{table} set {column} = {column} - interval '51 s'"
                " where run_id = 1 and ctid = (select min(ctid) from"
                f" agentdb.{table} where run_id = 1)".encode()
            )
    diagnose(dsn)
    evaluate(db)
    reason = "it has no right to read invoices"
    agentdb(dsn, "kill", "1", "--reason", reason, "--yes")
    db.execute("select agentdb.flush()")
    made = [named("\n".join(message)) for message in messages(db)]
    blocks = re.findall(r"^```text\n(\[.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert [named(block) for block in blocks] == made


def test_payload_of_the_page_has_the_fields_that_the_code_sends(
    db: Connection, billing: Connection
) -> None:
    (block, *_) = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    loop(billing)
    evaluate(db)
    (message,) = deliver(db)
    assert set(json.loads(block)) == set(message["payload"])
    billing.execute("select agentdb.end_run('failed')")
    evaluate(db)
    (message,) = deliver(db)
    text = PAGE.read_text()
    ended = {"ended_by", "lasted_seconds", "until", "was"}
    assert ended <= set(message["payload"])
    assert all(f"`{field}`" in text for field in ended)


def test_killed_agent_has_no_alert_left_about_what_it_does(
    db: Connection, dsn: str, billing: Connection
) -> None:
    db.execute("update agentdb.policy set token_rate_per_hour = 1000")
    billing.execute("select agentdb.log_tokens(1000000, 10)")
    evaluate(db)
    assert "token_rate" in {message[0].split()[1] for message in messages(db)}
    agentdb(dsn, "kill", "billing", "--reason", "it burns money", "--yes")
    evaluate(db)
    ended = [m[1] for m in messages(db) if m[0].startswith("[RESOLVED] token_rate")]
    assert len(ended) == 1
    assert ended[0].endswith("agent billing was killed by operator_o: it burns money")


def test_end_of_a_kill_is_sent_while_the_rule_would_still_wait(
    scene: Scene, connect: Connect
) -> None:
    # keep_firing is longer than anything here waits: what arrives did not wait for it.
    scene.db.execute(
        "update agentdb.alert_rule set enabled = true, evaluate_every = '100 ms',"
        " keep_firing = '1 day' where rule_name = 'silent_loop'"
    )
    scene.receiver()
    # A partition that the runner makes meanwhile could be in a log's way.
    scene.db.execute("select agentdb.maintain()")
    register(scene.db)
    agent = connect(scene.db.info.dbname, "agent_a")
    start(agent)
    loop(agent)
    scene.start()
    scene.sink.wait()
    agentdb(scene.dsn, "kill", "1", "--reason", "loops", "--yes")
    first, second = scene.sink.wait(2)
    assert (first.payload["kind"], second.payload["kind"]) == ("firing", "resolved")
    assert second.payload["ended_by"] == "run 1 was killed by operator_o: loops"
    assert first.payload["remedy"][-1] == "agentdb kill 1 --reason …"
