"""The doctor finds what is wrong, says what fixes it, and is right about that."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentdb.admin import doctor
from agentdb.admin.finding import Finding
from agentdb.admin.prompt import LINES, functions
from agentdb.cli import main

from .agents import register, row, rows, start, value
from .conftest import Connect, Connection
from .scene import Scene, until
from .servers import Server
from .sink import Sink


@pytest.fixture
def dsn(server: Server, db: Connection) -> str:
    """The connection string of an operator."""
    return server.dsn(database=db.info.dbname, user="operator_o")


def found(db: Connection, check: str) -> list[tuple[str, str, str | None]]:
    """Return what the database finds under a name."""
    query = "select state, detail, fix from agentdb.doctor where check_name = %s"
    return [tuple(each.values()) for each in rows(db, query, check)]


def test_fresh_installation_is_in_order(db: Connection) -> None:
    assert found(db, "roles")[0][0] == "ok"
    assert found(db, "code")[0][0] == "ok"
    assert found(db, "prepared transactions")[0][0] == "ok"
    assert found(db, "runner")[0][0] == "critical"


def test_server_that_loses_commits_is_critical(db: Connection) -> None:
    # The servers of this suite give durability up.
    ((state, detail, fix),) = found(db, "durability")
    expected = "ok" if value(db, "show fsync") == "on" else "critical"
    assert state == expected
    assert "fsync is" in detail
    assert (fix is None) == (state == "ok")


def test_function_that_was_tampered_with_is_found(db: Connection) -> None:
    db.execute(
        "alter function agentdb.kill_run(bigint, text, boolean) reset search_path"
    )
    db.execute(
        "grant execute on function agentdb.kill_run(bigint, text, boolean) to public"
    )
    details = [detail for _, detail, _ in found(db, "functions")]
    assert details == [
        "function agentdb.kill_run does not pin its search_path",
        "function agentdb.kill_run may be executed by PUBLIC",
    ]
    assert found(db, "code") == []


def test_trigger_that_was_switched_off_is_found(db: Connection) -> None:
    db.execute("create table public.t (id int primary key)")
    db.execute("select agentdb.audit_table('public.t'::regclass)")
    assert found(db, "triggers") == []
    db.execute("alter table public.t disable trigger agentdb_audit_update")
    ((state, detail, _),) = found(db, "triggers")
    assert state == "critical"
    assert "agentdb_audit_update" in detail and "disabled" in detail


def test_agent_that_owns_what_is_audited_is_found_and_the_command_mends(
    db: Connection,
) -> None:
    register(db)
    db.execute("create table public.t (id int primary key)")
    db.execute("select agentdb.audit_table('public.t'::regclass)")
    db.execute("alter table public.t owner to agent_a")
    ((state, detail, fix),) = found(db, "tables of a")
    assert (state, "agent_a" in detail) == ("critical", True)
    assert fix == "alter table public.t owner to somebody_else;"
    db.execute(fix.replace("somebody_else", "app_user").encode())
    assert found(db, "tables of a") == []


def test_agents_that_share_a_role_are_told(db: Connection) -> None:
    register(db, "one", "agent_pool", pooled=True)
    register(db, "two", "agent_pool", pooled=True)
    ((state, detail, _),) = found(db, "role of one")
    assert state == "warning"
    assert "one, two share role agent_pool" in detail


def test_login_that_can_become_an_owner_by_any_way_is_found(db: Connection) -> None:
    assert found(db, "owners") == []
    db.execute("create role zz_team in role agentdb_capture")
    db.execute("create role zz_member login noinherit in role zz_team")
    try:
        ((state, detail, fix),) = found(db, "owners")
        assert state == "critical"
        assert detail.startswith("zz_member is a member of agentdb_capture")
        assert fix == "revoke agentdb_capture from zz_team;"
    finally:
        db.execute("drop role zz_member, zz_team")


def test_agent_that_may_become_the_owner_of_what_is_audited_is_found(
    db: Connection,
) -> None:
    register(db)
    db.execute("create table public.t (id int primary key)")
    db.execute("select agentdb.audit_table('public.t'::regclass)")
    db.execute("create role zz_owner")
    db.execute("alter role agent_a noinherit")
    try:
        db.execute("alter table public.t owner to zz_owner")
        db.execute("grant zz_owner to agent_a")
        assert found(db, "tables of a")[0][0] == "critical"
    finally:
        db.execute("alter role agent_a inherit")
        db.execute("drop owned by zz_owner cascade")
        db.execute("drop role zz_owner")


def checks(dsn: str) -> dict[str, Finding]:
    return {finding.check_name: finding for finding in doctor.findings(dsn)}


def test_machine_is_looked_at(dsn: str) -> None:
    findings = checks(dsn)
    assert findings["user"].state == ("warning" if os.geteuid() == 0 else "ok")
    assert findings["clock"].state == "ok"
    assert re.search(r"[+-]0\.\d+ s", findings["clock"].detail)


@pytest.mark.parametrize(
    ("uid", "user", "state", "says"),
    [
        (0, None, "warning", "as root"),
        (0, "root", "ok", "as root"),
        (0, "agentdb", "warning", "we run as root, and the configuration says agentdb"),
        # As in a container whose users have no names.
        (54321, None, "ok", "54321"),
        (54321, "agentdb", "warning", "sudo -u agentdb"),
    ],
)
def test_user_of_the_configuration_is_who_we_should_be(
    monkeypatch: pytest.MonkeyPatch, uid: int, user: str | None, state: str, says: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)
    finding = doctor.who(user)
    assert finding.state == state
    assert says in f"{finding.detail} {finding.fix}"


def test_user_is_named_by_file_or_environment(
    dsn: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place / "agentdb.toml"
    # References of other sections are not needed, and not looked up.
    file.write_text("""
        [runner]
        user = "from-the-file"
        [ping]
        url = "env:AGENTDB_NO_SUCH_VARIABLE"
        """)
    command = ["doctor", "--dsn", dsn, "--json", "--config", str(file)]
    for name in ("from-the-file", "from-outside"):
        told = json.loads(CliRunner().invoke(main, command).output)
        (user,) = (each for each in told if each["check"] == "user")
        assert user["state"] == "warning"
        assert f"the configuration says {name}" in user["detail"]
        monkeypatch.setenv("AGENTDB_RUNNER_USER", "from-outside")
    monkeypatch.delenv("AGENTDB_RUNNER_USER")
    file.write_text("[runner]\nuser = 7")
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 78
    assert "user" in done.output


def test_runner_tells_that_it_runs_as_somebody_else(scene: Scene) -> None:
    runner = scene.start_configured("[runner]\nuser = 'somebody-else'\n")
    until(lambda: runner.logged("runner started"))
    assert runner.stop() == 0
    assert "the configuration says somebody-else" in runner.log.read_text()


def test_clocks_that_differ_are_told(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr("agentdb.admin.doctor.time.time", lambda: real() - 60)
    finding = checks(dsn)["clock"]
    assert finding.state == "warning"
    assert "+60." in finding.detail or "+59." in finding.detail


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as somebody else")
def test_declared_paths_are_looked_at_as_the_agent(
    db: Connection, dsn: str, place: Path
) -> None:
    register(db)
    (place / "in").write_text("x")
    (place / "in").chmod(0o600)
    db.execute("select agentdb.declare_path('a', %s)", [f"{place}/in"])
    assert checks(dsn)["path of a"].state == "warning"
    db.execute("select agentdb.set_os_user('a', 'nobody')")
    finding = checks(dsn)["path of a"]
    assert finding.state == "critical"
    assert finding.fix == f"setfacl -m u:nobody:r {place}/in"
    (place / "in").chmod(0o644)
    assert checks(dsn)["path of a"].state == "ok"


def test_receiver_that_cannot_be_reached_is_told(
    db: Connection, dsn: str, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        targets = {
            "good": sink.url(),
            "shut": f"http://127.0.0.1:{closed.getsockname()[1]}/",
            "unset": "env:AGENTDB_NO_SUCH_VARIABLE",
            "odd": "env:AGENTDB_ODD",
        }
        monkeypatch.setenv("AGENTDB_ODD", "http://[secret-canary/")
        for name, target in targets.items():
            db.execute(
                "insert into agentdb.receiver (receiver_name, channel, target) "
                "values (%s, 'webhook', %s)",
                [name, target],
            )
        findings = checks(dsn)
    states = {name: findings[f"receiver {name}"].state for name in targets}
    assert states == {
        "good": "ok",
        "shut": "critical",
        "unset": "critical",
        "odd": "critical",
    }
    assert "AGENTDB_NO_SUCH_VARIABLE" in findings["receiver unset"].detail
    assert "secret-canary" not in str(findings)


def test_receivers_are_looked_for_where_their_channels_go(
    db: Connection, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {
        "smtp://relay.example/?to=a@b": ("relay.example", 587),
        "smtps://relay.example/?to=a@b": ("relay.example", 465),
        "https://relay.example/": ("relay.example", 443),
        "http://relay.example/": ("relay.example", 80),
        "http://relay.example:8080/": ("relay.example", 8080),
    }
    asked = []

    def connection(place: tuple[str, int], deadline: float) -> socket.socket:
        asked.append(place)
        return socket.socket()

    monkeypatch.setattr("agentdb.admin.doctor.socket.create_connection", connection)
    for number, target in enumerate(places):
        db.execute(
            "insert into agentdb.receiver (receiver_name, channel, target) "
            "values (%s, %s, %s)",
            [f"r{number}", "email" if "smtp" in target else "webhook", target],
        )
    checks(dsn)
    assert asked == list(places.values())


def test_name_that_no_host_can_have_is_told(db: Connection, dsn: str) -> None:
    db.execute(
        "insert into agentdb.receiver (receiver_name, channel, target) "
        "values ('long', 'webhook', %s)",
        [f"http://{'x' * 70}.example/"],
    )
    assert checks(dsn)["receiver long"].state == "critical"


def test_one_page_with_the_worst_first(dsn: str) -> None:
    done = CliRunner().invoke(main, ["doctor", "--dsn", dsn])
    assert done.exit_code == 2
    assert done.output.index("critical") < done.output.index(" ok ")
    assert "start agentdb run" in done.output
    told = CliRunner().invoke(main, ["doctor", "--dsn", dsn, "--json"])
    assert {"check", "state", "detail", "fix"} == set(json.loads(told.output)[0])


def test_doctor_that_finds_no_database_says_unknown() -> None:
    done = CliRunner().invoke(main, ["doctor", "--dsn", "host=/nowhere"])
    assert done.exit_code == 3
    assert "unknown" in done.output


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        ("42501: permission denied for table orders", "permission denied"),
        ("[Errno 13] Permission denied: '/srv/x'", "permission denied"),
        ("open /srv/x: EACCES", "permission denied"),
        ("HTTP 403 Forbidden", "permission denied"),
        ('relation "orderz" does not exist', "not found"),
        ("ENOENT: no such file or directory", "not found"),
        ("status code: 404", "not found"),
        ("unknown tool: lookup_user", "unknown tool"),
        ("context deadline exceeded", "timeout"),
        ("canceling statement due to statement timeout (57014)", "timeout"),
        ("429 Too Many Requests", "rate limited"),
        ("ValueError: invalid literal for int()", "bad arguments"),
        ("22P02 invalid input syntax for type uuid", "bad arguments"),
        ("ZA040 run 7 was killed", "refused"),
        ("payment was declined", "failed"),
        (None, "failed"),
    ],
)
def test_errors_are_classed(
    db: Connection, connect: Connect, error: str | None, error_class: str
) -> None:
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute(
        "select agentdb.log_tool_call('t', ok => false, error => %s)", [error]
    )
    assert value(db, "select error_class from agentdb.tool_error") == error_class


def test_paths_and_tables_are_found_in_what_failed(db: Connection) -> None:
    args = {"file": "/srv/in put/a.csv", "cmd": "cat /etc/shadow > /tmp/x", "n": ["/"]}
    found = value(
        db,
        "select agentdb._paths_in(%s, 'cannot open ''/var/lib/data.db'': nothing')",
        json.dumps(args),
    )
    assert found == ["/var/lib/data.db", "/etc/shadow", "/srv/in"]
    for error, relation in [
        ("permission denied for table orders", "orders"),
        ('relation "public.orders" does not exist', "public.orders"),
        ("nothing of the kind", None),
    ]:
        assert value(db, "select agentdb._relation_in(%s)", error) == relation


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as somebody else")
def test_runner_looks_into_what_failed(
    scene: Scene, connect: Connect, place: Path
) -> None:
    db = scene.db
    register(db)
    db.execute("select agentdb.set_os_user('a', 'nobody')")
    db.execute("create table public.orders (id int)")
    (place / "in").write_text("x")
    (place / "in").chmod(0o600)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    log = "select agentdb.log_tool_call(%s, args => %s, ok => false, error => %s)"
    agent.execute(log, ["read", json.dumps({"path": f"{place}/in"}), "not found"])
    agent.execute(log, ["sql", None, "permission denied for table orders"])
    agent.execute(log, ["think", None, "timeout"])
    runner = scene.start()
    until(lambda: value(db, "select count(*) from agentdb.tool_diagnosis") == 2)
    assert runner.stop() == 0
    read = row(db, "select diagnosis from agentdb.tool_error where tool = 'read'")
    assert read["diagnosis"][0]["verdict"] == "unreadable"
    assert read["diagnosis"][0]["as"] == "nobody"
    sql = row(db, "select diagnosis from agentdb.tool_error where tool = 'sql'")
    (found,) = [d for d in sql["diagnosis"] if d["verdict"] == "no_grant"]
    assert found["fix"] == "grant select on public.orders to agent_a;"


def explained(connection: Connection, *arguments: str) -> list[tuple[str, str | None]]:
    """Return verdicts and what fixes them."""
    found = rows(
        connection,
        f"select verdict, fix from agentdb.explain_access({', '.join(['%s'] * len(arguments))})",
        *arguments,
    )
    return [(each["verdict"], each["fix"]) for each in found]


def test_every_obstacle_has_its_own_name_and_mends(
    db: Connection, connect: Connect
) -> None:
    agent = connect(db.info.dbname, "agent_a")
    db.execute("create schema app; create table app.orders (id int, secret text)")
    db.execute("insert into app.orders values (1, 'x')")
    assert [verdict for verdict, _ in explained(agent, "app.orders")] == [
        "no_schema_usage",
        "no_grant",
    ]
    for _, fix in explained(agent, "app.orders"):
        assert fix
        db.execute(fix.encode())
    assert explained(agent, "app.orders") == [("ok", None)]
    assert value(agent, "select id from app.orders") == 1
    db.execute("revoke select on app.orders from agent_a")
    db.execute("grant select (id) on app.orders to agent_a")
    ((verdict, fix),) = explained(agent, "app.orders")
    assert (verdict, fix) == (
        "some_columns",
        "grant select on app.orders to agent_a;",
    )
    db.execute("grant select on app.orders to agent_a")
    db.execute("alter table app.orders enable row level security")
    assert rows(agent, "select id from app.orders") == []
    ((verdict, fix),) = explained(agent, "orders")
    assert verdict == "row_security"
    assert fix
    db.execute(fix.encode())
    assert value(agent, "select id from app.orders") == 1


def test_table_that_does_not_exist_is_told_from_one_that_is_hidden(
    db: Connection, connect: Connect
) -> None:
    agent = connect(db.info.dbname, "agent_a")
    db.execute("create schema app; create table app.customers (id int)")
    found = row(agent, "select * from agentdb.explain_access('app.custmers')")
    assert found["verdict"] == "missing_table"
    assert "app.customers" in found["detail"]
    found = row(agent, "select * from agentdb.explain_access('ap.customers')")
    assert found["verdict"] == "missing_schema"
    db.execute("create schema ap; create table ap.customers (id int)")
    found = row(agent, "select * from agentdb.explain_access('customers')")
    assert found["verdict"] == "ambiguous"
    assert "app.customers" in found["detail"]
    # As PostgreSQL reads it: the schemas of the role's search path come first.
    db.execute("create table public.customers (id int)")
    found = row(agent, "select * from agentdb.explain_access('customers')")
    assert found["detail"] == "agent_a has no SELECT on public.customers"
    found = row(agent, "select * from agentdb.explain_access('customers', 'delete')")
    assert found["fix"] == "grant delete on public.customers to agent_a;"
    db.execute("grant select on public.customers to agent_a")
    found = row(agent, "select * from agentdb.explain_access('customers', 'delete')")
    assert found["verdict"] == "no_grant"


@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        (["x", "truncate"], "ZA004"),
        (["a.b.c"], "ZA004"),
        (["'; drop table x; --"], "ZA004"),
        (["x", "select", "no_such_role"], "ZA006"),
    ],
)
def test_bad_question_is_refused(
    db: Connection, arguments: list[Any], state: str
) -> None:
    with pytest.raises(Exception) as caught:
        explained(db, *arguments)
    assert getattr(caught.value, "sqlstate", None) == state


def test_prompt_names_only_what_agents_may_call(db: Connection, dsn: str) -> None:
    done = CliRunner().invoke(main, ["prompt", "--dsn", dsn])
    assert done.exit_code == 0
    granted = {
        each["proname"]
        for each in rows(
            db,
            "select p.proname from pg_proc as p "
            "where p.pronamespace = 'agentdb'::regnamespace "
            "and has_function_privilege('agent_a', p.oid, 'execute')",
        )
    }
    named = functions(done.output)
    assert named <= granted
    assert {"start_run", "log_progress", "complete_run", "claim_rows"} <= named
    # Four characters a token is what English has; code has somewhat fewer.
    assert len("\n".join(LINES)) / 4 < 600


def test_prompt_leaves_out_what_is_not_installed(db: Connection, dsn: str) -> None:
    db.execute("revoke execute on function agentdb.release_lock from agentdb_agent")
    done = CliRunner().invoke(main, ["prompt", "--dsn", dsn])
    assert "acquire_lock" not in done.output


def test_prompt_of_an_agent_tells_its_limits(db: Connection, dsn: str) -> None:
    register(db)
    done = CliRunner().invoke(main, ["prompt", "a", "--dsn", dsn])
    assert "You are agent a: 500000 tokens a conversation" in done.output
    done = CliRunner().invoke(main, ["prompt", "nobody", "--dsn", dsn])
    assert done.exit_code == 1
    assert "there is no agent nobody" in done.output


def test_doctor_starts_without_a_terminal(dsn: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agentdb", "doctor", "--dsn", dsn],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
