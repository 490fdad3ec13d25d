"""The command line, as a person or a monitoring system uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from agentdb.cli import main

from .agents import evaluate, register, start, value
from .conftest import INSTALLER, Connect, Connection, Dump, MakeDatabase
from .servers import Server

READING = [["status"], ["alerts"], ["alerts", "--all"], ["runs"], ["timeline", "1"]]


def agentdb(
    *arguments: str, dsn: str = "", stdin: str = "", code: int | None = 0
) -> str:
    """Run the command in a process of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "agentdb", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        env={**os.environ, "AGENTDB_DSN": dsn, "COLUMNS": "120", "NO_COLOR": "1"},
    )
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    """An operator's connection string to an installed database."""
    return server.dsn(database=db.info.dbname, user="operator_o")


@pytest.fixture
def trouble(db: Connection, connect: Connect, dsn: str) -> int:
    """A run that repeats itself, with its alert firing; the run's number."""
    register(db, "billing")
    agent = connect(db.info.dbname, "agent_a")
    run = start(agent, purpose="send invoices")
    agent.execute("select agentdb.log_progress('found 3 invoices')")
    agent.execute(
        "select agentdb.log_tool_call('search', '{\"q\": \"x\"}', false, 'nothing \x1b[31mfound')"
        " from generate_series(1, 6)"
    )
    agent.execute("select agentdb.log_tokens(1200, 34, model => 'm-1')")
    agent.execute("select agentdb.begin_tool_call('slow')")
    evaluate(db)
    return run


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_reading_command_prints_its_sql_and_json(
    db: Connection, dsn: str, trouble: int, command: list[str]
) -> None:
    statement = agentdb(*command, "--sql", dsn=dsn)
    assert "agentdb." in statement
    by_sql = db.execute(statement.encode()).fetchall()
    by_json = json.loads(agentdb(*command, "--json", dsn=dsn, code=None))
    assert len(by_json) == len(by_sql) > 0


def test_status_says_what_is_wrong_and_exits_as_plugins_do(
    db: Connection, dsn: str, trouble: int
) -> None:
    said = agentdb("status", dsn=dsn, code=2)
    assert "no runner has ever reported" in said
    for loop in ("evaluate", "flush", "send", "verify"):
        db.execute("select agentdb.beat('r', %s, 'h', 1, 'v')", [loop])
    db.execute("select agentdb.maintain()")
    assert "firing" in agentdb("status", dsn=dsn, code=1)
    db.execute("update agentdb.alert set state = 'resolved'")
    agentdb("status", dsn=dsn, code=0)
    db.execute(
        "update agentdb.alert_rule set failures = 1 where rule_name = 'long_tick'"
    )
    assert "failing: long_tick" in agentdb("status", dsn=dsn, code=2)


def test_status_of_what_cannot_be_reached_is_unknown(server: Server) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/x"
    assert "127.0.0.1" in agentdb("status", dsn=nowhere, code=3)


def test_alerts_lists_the_worst_first_in_words(dsn: str, trouble: int) -> None:
    said = agentdb("alerts", dsn=dsn)
    assert "silent_loop" in said
    assert "is stuck in a loop: the same call failing, 6 times" in said


def test_why_alert_shows_rows_threshold_and_next_steps(
    db: Connection, dsn: str, trouble: int
) -> None:
    number = value(
        db, "select alert_id from agentdb.alert where rule_name = 'silent_loop'"
    )
    said = agentdb("why", f"A-{number}", dsn=dsn)
    assert "threshold" in said
    assert said.count('{"q": "x"}') == 6
    assert "next: agentdb" in said
    statement = agentdb("why", f"a-{number}", "--sql", dsn=dsn)
    assert "agentdb.tool_call_log" in statement
    answer = json.loads(agentdb("why", f"A-{number}", "--json", dsn=dsn))
    assert len(answer["evidence"]) == 6
    assert answer["alert"][0]["policy"] == "default"


def test_why_says_who_sees_to_an_alert_and_no_remedy_once_it_is_over(
    db: Connection, dsn: str, trouble: int
) -> None:
    number = value(
        db, "select alert_id from agentdb.alert where rule_name = 'silent_loop'"
    )
    assert f"next: agentdb ack A-{number}" in agentdb("why", f"A-{number}", dsn=dsn)
    agentdb("ack", f"A-{number}", "-m", "on it", dsn=dsn)
    said = agentdb("why", f"A-{number}", dsn=dsn)
    assert "operator_o: on it" in said
    assert f"next: agentdb unack A-{number}\n" in said and "agentdb ack" not in said
    agentdb("resolve", f"A-{number}", "--reason", "known", dsn=dsn)
    said = agentdb("why", f"A-{number}", dsn=dsn)
    assert "resolved by operator_o: known" in said
    for over in ("agentdb kill", "It ends when", "agentdb ack", "agentdb unack"):
        assert over not in said


def test_totals_that_no_runner_counts_are_said_to_be_missing(
    db: Connection, dsn: str, trouble: int
) -> None:
    for command in (["runs"], ["why", str(trouble)]):
        db.execute("update agentdb.roll_up_state set rolled_at = '-infinity'")
        assert "calls and tokens may be missing" in agentdb(*command, dsn=dsn)
        db.execute("update agentdb.roll_up_state set rolled_at = clock_timestamp()")
        assert "may be missing" not in agentdb(*command, dsn=dsn)


def test_why_run_and_agent(dsn: str, trouble: int) -> None:
    for word in (str(trouble), f"R-{trouble}", "billing"):
        said = agentdb("why", word, dsn=dsn)
        assert "silent_loop" in said
        assert "billing" in said


@pytest.mark.parametrize(
    "word", ["A-999", "G-999", "999", "nobody", "A-", "'; --", "%s"]
)
def test_why_of_what_is_not_there_says_so(dsn: str, trouble: int, word: str) -> None:
    assert f"there is no {{}} {word}".split("{}")[0] in agentdb(
        "why", word, dsn=dsn, code=1
    )


def test_timeline_tells_the_run_in_order(dsn: str, trouble: int) -> None:
    answer = json.loads(agentdb("timeline", str(trouble), "--json", dsn=dsn))
    kinds = [each["kind"] for each in answer]
    assert kinds[:8] == ["start", "progress", *["tool call"] * 6]
    assert {"tokens", "in flight", "alert"} <= set(kinds)
    assert answer[0]["what"] == "send invoices"


def test_escape_sequences_of_agents_never_reach_the_terminal(
    dsn: str, trouble: int
) -> None:
    for command in (["timeline", str(trouble)], ["why", str(trouble)], ["alerts"]):
        assert "\x1b" not in agentdb(*command, dsn=dsn)


def test_timeline_of_no_run_fails(dsn: str) -> None:
    assert "there is no run 12345" in agentdb("timeline", "12345", dsn=dsn, code=1)
    assert "is no run" in agentdb("timeline", "abc", dsn=dsn, code=2)


def test_commands_read_with_an_auditors_rights(
    db: Connection, server: Server, trouble: int
) -> None:
    dsn = server.dsn(database=db.info.dbname, user="auditor_u")
    for command in (*READING, ["why", "billing"]):
        agentdb(*command, dsn=dsn, code=None if command == ["status"] else 0)


def test_agents_read_nothing(db: Connection, server: Server, trouble: int) -> None:
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    said = agentdb("alerts", dsn=dsn, code=1)
    assert "permission denied" in said
    assert "hint: agent_a is the role of an agent: connect as a person's" in said


def test_operator_registers_an_agent(db: Connection, dsn: str) -> None:
    assert "agent billing is registered" in agentdb(
        "agent", "add", "billing", "--role", "agent_a", dsn=dsn
    )
    said = agentdb("agent", "add", "billing", "--role", "agent_a", dsn=dsn)
    assert said == "agent billing is registered already under role agent_a\n"
    said = agentdb("agent", "add", "billing", "--role", "agent_b", dsn=dsn, code=1)
    assert "exists already" in said
    assert "hint: " in said
    pooled = agentdb(
        "agent", "add", "mail", "--role", "agent_pool", "--pooled", dsn=dsn
    )
    assert "shown only now" in pooled


def test_install_check_sql_and_uninstall_from_any_directory(
    server: Server, make_database: MakeDatabase, dump: Dump, db: Connection
) -> None:
    name = make_database()
    blank = dump(name)
    dsn = server.dsn(database=name, user=INSTALLER)
    assert "not installed" in agentdb("install", "--check", dsn=dsn, code=1)
    assert "agentdb is installed in" in agentdb("install", "--dsn", dsn)
    assert dump(name) == dump(db.info.dbname)
    assert "as this release makes it" in agentdb("install", "--check", dsn=dsn)
    said = agentdb("uninstall", dsn=dsn, code=2)
    assert "--yes" in said
    agentdb("uninstall", "--yes", dsn=dsn)
    assert dump(name) == blank


def test_urls_of_other_tools_and_libpq_variables_work(
    db: Connection, dsn: str, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    for prefix in ("postgres://", "postgresql+psycopg://", "postgresql+pg8000://"):
        agentdb("runs", "--dsn", dsn.replace("postgresql://", prefix))
    monkeypatch.setenv("PGHOST", str(db.info.host))
    monkeypatch.setenv("PGPORT", str(db.info.port))
    monkeypatch.setenv("PGUSER", "operator_o")
    monkeypatch.setenv("PGDATABASE", db.info.dbname)
    agentdb("runs")
    agentdb("runs", "--dsn", f"dbname={db.info.dbname} user=auditor_u")


def test_password_is_never_printed(server: Server, make_database: MakeDatabase) -> None:
    dsn = server.dsn(database=make_database(), user=INSTALLER)
    secret = dsn.replace("installer@", "installer:hunter2@")
    assert "hunter2" not in agentdb("install", dsn=secret)
    assert "hunter2" not in agentdb("uninstall", dsn=secret, code=2)


def test_status_needs_no_heavy_import() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from agentdb.cli import main; "
        "CliRunner().invoke(main, ['status', '--sql']); "
        "print([m for m in ('sqlalchemy', 'alembic', 'httpx', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_every_command_helps() -> None:
    said = agentdb("--help")
    for command in ("demo", "install", "run", "status", "why", "timeline", "up"):
        assert command in said
        assert "--help" in agentdb(command, "--help")


@pytest.mark.parametrize("group", ["", *sorted(
    name for name, each in main.commands.items() if isinstance(each, click.Group)
)])  # fmt: skip
def test_list_of_commands_cuts_no_sentence(group: str) -> None:
    said = CliRunner(env={"COLUMNS": "80"}).invoke(main, [*group.split(), "--help"])
    assert said.exit_code == 0
    _, *lines = said.output.splitlines()
    assert not [line for line in lines if line.endswith("...")]


def test_help_does_not_need_a_database() -> None:
    assert Path(sys.executable).exists()
    assert "Usage" in agentdb("install", "--help", dsn="nonsense")


def test_why_explains_an_alert_whose_evidence_cannot_be_had(
    db: Connection, dsn: str, trouble: int
) -> None:
    db.execute(
        "update agentdb.alert_rule set evidence_query = 'select 1 / 0 as rows' "
        "where rule_name = 'silent_loop'"
    )
    number = value(
        db, "select alert_id from agentdb.alert where rule_name = 'silent_loop'"
    )
    said = agentdb("why", f"A-{number}", dsn=dsn)
    assert "is stuck in a loop: the same call failing" in said
    assert "division by zero" in said


def test_timeline_of_a_long_run_ends_with_its_end(dsn: str, trouble: int) -> None:
    whole = json.loads(agentdb("timeline", str(trouble), "--json", dsn=dsn))
    last = agentdb("timeline", str(trouble), "--limit", "3", dsn=dsn)
    assert "the last 3 events; see --limit" in last
    assert "run began" not in last and "send invoices" not in last
    assert "times are in UTC" in last
    # After the axis: which run, the names of the columns, and what is said above.
    assert last[last.index(f"run {trouble}\n") :].count("\n") == 3 + 4
    assert len(whole) > 3
