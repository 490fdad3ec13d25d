"""Whoever installs can do what the documentation tells an owner to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import psycopg
import pytest

from agentdb.local import LocalServer
from agentdb.schema import install as installation

from .agents import refusal, row, rows, value
from .servers import tell

# What managed services give the role that they hand out.
GIVEN = {
    "plain": ("create role giver login createrole", "giver"),
    "with databases": ("create role giver login createrole createdb", "giver"),
    "owner by a group": (
        "create role team; create role giver login createrole in role team", "team",
    ),
    "grants to itself": (
        "create role giver login createrole;"
        "alter role giver set createrole_self_grant = 'set, inherit'", "giver",
    ),
    "no inheritance": ("create role giver login createrole noinherit", "giver"),
}  # fmt: skip
SINCE = {"grants to itself": 160000, "no inheritance": 160000}


def agentdb(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agentdb", *arguments],
        env={**os.environ, "AGENTDB_DSN": dsn},
        capture_output=True,
        text=True,
    )


def test_who_may_not_install_is_told_the_right_it_lacks() -> None:
    with LocalServer(fast=True) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("create role poor login")
            admin.execute(
                "create database app owner poor template template0 encoding 'UTF8'"
            )
        done = agentdb(server.dsn(database="app", user="poor"), "install")
    assert done.returncode == 1
    assert done.stderr.endswith("hint: As a superuser: alter role poor createrole\n")


@pytest.mark.parametrize("kind", GIVEN)
def test_installer_is_an_operator_and_guards_its_tables(kind: str) -> None:
    create, owner = GIVEN[kind]
    with LocalServer(fast=True) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            if admin.info.server_version < SINCE.get(kind, 0):
                pytest.skip("the server knows no such thing")
            for statement in create.split(";"):
                admin.execute(statement.encode())
            database = (
                f"create database app owner {owner} template template0 encoding 'UTF8'"
            )
            admin.execute(database.encode())
        dsn = server.dsn(database="app", user="giver")
        assert agentdb(dsn, "install").returncode == 0
        add = ("agent", "add", "billing", "--role", "billing_agent", "--create-role")
        added = agentdb(dsn, *add)
        assert added.returncode == 0, added.stderr
        with psycopg.connect(dsn, autocommit=True) as db:
            if kind == "no inheritance":
                db.execute("set role giver")
            db.execute("create schema shop; create table shop.t (id int primary key)")
            db.execute("select agentdb.audit_table('shop.t')")
            db.execute("select agentdb.guard_table('shop.t')")
            db.execute("create role rita login in role agentdb_reviewer")
            db.execute("update agentdb.agent set policy_name = 'playbook'")
            assert rows(db, "select * from agentdb.guard_fault") == []
        # They look as a member may; 2 is that no runner has reported yet.
        assert [agentdb(dsn, name).returncode for name in ("status", "doctor")] == [
            2,
            2,
        ]
        removed = agentdb(dsn, "uninstall", "--yes")
        assert removed.returncode == 0, removed.stderr
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            left = "select count(*) from pg_roles where rolname like 'agentdb%'"
            assert value(admin, left) == 0


def test_installation_names_the_grant_that_another_owner_needs() -> None:
    with LocalServer(fast=True) as server:
        tell(
            server.dsn(),
            "create role giver login createrole",
            'create role "Shop owner" login',
            "create database app owner giver template template0 encoding 'UTF8'",
        )
        dsn = server.dsn(database="app", user="giver")
        shop = server.dsn(database="app", user="Shop owner")
        tell(
            server.dsn(database="app"),
            'create schema shop authorization "Shop owner"',
            "create table shop.a (id int primary key); create table shop.b (id int)",
            'alter table shop.a owner to "Shop owner"; alter table shop.b owner to "Shop owner"',
        )
        installed = agentdb(dsn, "install").stdout
        grant = 'grant agentdb_operator to "Shop owner";'
        assert f"next: {grant}  -- to audit and guard its 2 tables" in installed
        audit = "select table_name from agentdb.audit_table('shop.a')"
        with psycopg.connect(shop, autocommit=True) as db:
            assert refusal(db, audit).sqlstate == "42501"
            tell(dsn, grant)
            assert row(db, audit) == {"table_name": "shop.a"}
            assert row(db, audit.replace("audit_", "guard_")) == {
                "table_name": "shop.a"
            }
        assert not [
            s
            for s in installation.next_steps(dsn)
            if s.startswith("grant agentdb_operator")
        ]


def test_second_owner_on_a_server_is_given_the_roles() -> None:
    """Roles belong to the server: whoever installed first may grant them."""
    with LocalServer(fast=True) as server:
        for name in ("one", "two"):
            tell(
                server.dsn(),
                f"create role {name}_owner login createrole",
                f"create database {name} owner {name}_owner template template0 encoding 'UTF8'",
            )
        one = server.dsn(database="one", user="one_owner")
        two = server.dsn(database="two", user="two_owner")
        assert agentdb(one, "install").returncode == 0
        refused = agentdb(two, "install")
        with psycopg.connect(server.dsn()) as admin:
            if admin.info.server_version < 160000:
                assert refused.returncode == 0
                return
        assert refused.returncode == 1
        hint = re.search(r"hint: .*?(grant .*;)", refused.stderr)
        assert hint, refused.stderr
        tell(one, hint[1])
        done = agentdb(two, "install")
        assert done.returncode == 0, done.stderr
        add = ("agent", "add", "billing", "--role", "billing_agent", "--create-role")
        assert agentdb(two, *add).returncode == 0
        assert agentdb(one, "install").returncode == 0
        for dsn in (one, two):
            assert agentdb(dsn, "install", "--check").returncode == 0
            removed = agentdb(dsn, "uninstall", "--yes")
            assert removed.returncode == 0, removed.stderr
