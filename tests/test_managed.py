"""On a managed service: the role that one gets there, and what it may not do."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest

from agentdb.local import LocalServer

from .agents import refusal, row, rows, start, value

# No superuser anywhere, no event trigger, nobody's session may be ended.
SERVICES = {
    "RDS": """
        create role rds_superuser;
        grant pg_monitor to rds_superuser;
        create role master login createrole createdb in role rds_superuser
    """,
    "Cloud SQL": """
        create role cloudsqlsuperuser createrole createdb;
        grant pg_monitor to cloudsqlsuperuser;
        create role master login createrole createdb in role cloudsqlsuperuser
    """,
    "Azure": """
        create role azure_pg_admin;
        grant pg_read_all_stats, pg_read_all_settings to azure_pg_admin;
        create role master login createrole createdb in role azure_pg_admin
    """,
    "Supabase": "create role master login createrole createdb bypassrls replication",
    "least": "create role master login createrole",
}


def agentdb(dsn: str, *arguments: str) -> str:
    """Run a command of agentdb, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "agentdb", *arguments],
        env={**os.environ, "AGENTDB_DSN": dsn},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_all_of_it_works_as_the_role_of_a_service(service: str) -> None:
    with LocalServer(fast=True) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(SERVICES[service].encode())
            admin.execute(
                "create database app owner master template template0 encoding 'UTF8'"
            )
        dsn = server.dsn(database="app", user="master")
        agentdb(dsn, "install")
        agentdb(
            dsn, "agent", "add", "billing", "--role", "billing_agent", "--create-role"
        )
        assert agentdb(dsn, "install", "--check").startswith("the database is as")
        with psycopg.connect(dsn, autocommit=True) as db:
            db.execute(
                "create table public.refund (id int primary key, amount numeric)"
            )
            db.execute("insert into refund values (1, 5)")
            db.execute("grant select, update on refund to billing_agent")
            db.execute("select agentdb.guard_table('public.refund')")
            db.execute("create role rita login in role agentdb_reviewer")
            assert rows(db, "select * from agentdb.guard_fault") == []
            refuses(db)
        plays(server, dsn)


def refuses(db: psycopg.Connection) -> None:
    """What the role may not do here is what a service does not let it do."""
    assert not value(db, "select rolsuper from pg_roles where rolname = current_user")
    assert refusal(db, "select pg_reload_conf()").sqlstate == "42501"
    trigger = "create event trigger t on ddl_command_start execute function f()"
    assert refusal(db, trigger).sqlstate == "42501"


def plays(server: LocalServer, dsn: str) -> None:
    """An agent proposes, a reviewer approves, an operator kills and takes it back."""
    agent = server.dsn(database="app", user="billing_agent")
    rita = server.dsn(database="app", user="rita")
    with psycopg.connect(agent, autocommit=True) as session:
        run = start(session)
        direct = refusal(session, "update refund set amount = 6")
        assert direct.sqlstate == "ZA050"
        session.execute("update agentdb_stage.refund set amount = 7")
        with psycopg.connect(rita, autocommit=True) as reviewer:
            approve = (
                "select a.state from agentdb.waiting_changes() as w, "
                "agentdb.approve_change(w.change_id, w.digest) as a"
            )
            assert row(reviewer, approve) == {"state": "applied"}
        assert value(session, "select amount from refund") == 7
        agentdb(dsn, "kill", str(run), "--reason", "enough", "--yes")
        assert refusal(session, "select agentdb.log_progress('x')").sqlstate == "ZA040"
    with psycopg.connect(dsn, autocommit=True) as db:
        recorded = row(db, "select r.outcome from agentdb.run as r")
        assert recorded == {"outcome": "killed"}
        history = rows(db, "select agent_name from agentdb.row_history('refund', '1')")
        assert history[0]["agent_name"] == "billing"
