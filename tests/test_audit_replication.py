"""What a subscription applies is recorded like any other write."""

from __future__ import annotations

import time
from contextlib import suppress

import psycopg
import pytest

from agentdb.local import LocalServer
from agentdb.schema import install as installation

SETTINGS = {"wal_level": "logical", "max_wal_senders": "4"}
TABLE = "create table t (id int primary key, v text)"


def log(subscriber: psycopg.Connection) -> list[tuple[object, ...]]:
    query = (
        "select operation, row_key ->> 'id', new_values ->> 'v' from agentdb.audit_log"
        " order by audit_log_id"
    )
    return subscriber.execute(query).fetchall()


def attach(subscriber: psycopg.Connection) -> None:
    """Attach, once the first copy of the table does not hold it any more."""
    for _ in range(20):
        with suppress(psycopg.errors.LockNotAvailable):
            subscriber.execute("select agentdb.audit_table('t')")
            return
    raise AssertionError("the copy has no end")


def test_applied_rows_are_recorded() -> None:
    with LocalServer(fast=True, settings=SETTINGS) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("create database pub")
            admin.execute("create database sub")
        installation.install(server.dsn(database="sub"))
        with (
            psycopg.connect(server.dsn(database="pub"), autocommit=True) as publisher,
            psycopg.connect(server.dsn(database="sub"), autocommit=True) as subscriber,
        ):
            publisher.execute(f"{TABLE}; insert into t values (1, 'before')")
            publisher.execute("create publication p for all tables")
            publisher.execute(
                "select pg_create_logical_replication_slot('s', 'pgoutput')"
            )
            subscriber.execute(f"{TABLE}; select agentdb.audit_table('t')")
            info = publisher.info
            subscriber.execute(
                f"create subscription s connection 'host={info.host} port={info.port} "
                f"user={info.user} dbname=pub' publication p "
                "with (create_slot = false, slot_name = 's')".encode()
            )
            fault = "select fault from agentdb.audited_table"
            said = subscriber.execute(fault).fetchone()
            assert said is not None and "subscription" in said[0]
            # The subscription came later: it is told, and attaching again is right.
            attach(subscriber)
            wait(subscriber, 1)
            publisher.execute("insert into t values (2, 'x')")
            publisher.execute("update t set v = 'y' where id = 1")
            publisher.execute("delete from t where id = 2")
            wait(subscriber, 4)
            assert log(subscriber) == [
                ("insert", "1", "before"),
                ("insert", "2", "x"),
                ("update", "1", "y"),
                ("delete", "2", None),
            ]
            publisher.execute("truncate t")
            wait(subscriber, 5)
            assert log(subscriber)[4][:2] == ("truncate", "1")
            subscriber.execute("alter subscription s disable")
            subscriber.execute("alter subscription s set (slot_name = none)")
            subscriber.execute("drop subscription s")


def wait(subscriber: psycopg.Connection, count: int) -> None:
    """Wait until so many changes are recorded."""
    end = time.monotonic() + 20
    while len(log(subscriber)) < count:
        if time.monotonic() > end:
            pytest.fail(f"recorded so far: {log(subscriber)}")
        time.sleep(0.05)
