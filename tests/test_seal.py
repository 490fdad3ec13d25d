"""Seals name what was changed in the log afterwards, whoever did it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .agents import refusal, row, rows, value
from .conftest import Connect, Connection

if TYPE_CHECKING:
    from typing_extensions import LiteralString


@pytest.fixture
def sealed(db: Connection) -> Connection:
    """A superuser's session with three seals of two rows each."""
    db.execute(
        "create table t (id int primary key, v int); select agentdb.audit_table('t')"
    )
    for number in (1, 2, 3):
        db.execute("insert into t values (%s, 0), (%s, 0)", [number, -number])
        assert row(db, "select seal_id, rows from agentdb.seal_audit()") == {
            "seal_id": number, "rows": 2,
        }  # fmt: skip
    return db


def verify(db: Connection, root: str | None = None) -> dict[str, Any]:
    return row(db, "select * from agentdb.verify_audit(%s::text)", root)


def tamper(db: Connection, statement: LiteralString) -> None:
    """Change what is append-only, as a superuser can."""
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute(statement)


def test_untouched_log_is_intact(sealed: Connection) -> None:
    found = verify(sealed)
    assert (found["intact"], found["seals"], found["rows"]) == (True, 3, 6)
    assert (found["unsealed"], found["expired"], found["problem"]) == (0, 0, None)
    assert rows(sealed, "select * from agentdb.seal_audit()") == []
    sealed.execute("update t set v = 1")
    assert verify(sealed)["unsealed"] == 6


@pytest.mark.parametrize(
    ("statement", "seal", "said"),
    [
        ("update agentdb.audit_log set run_id = 7 where row_key = '{\"id\": 2}'", 2, "changed"),
        ("update agentdb.audit_log set new_values = '{}' where row_key = '{\"id\": 3}'", 3,
         "changed"),
        ("update agentdb.audit_log set recorded_at = recorded_at - interval '1 us'", 1,
         "changed"),
        ("delete from agentdb.audit_log where row_key = '{\"id\": 2}'", 2, "2 rows were sealed"),
        ("delete from agentdb.audit_log where row_key ->> 'id' in ('2', '-2')", 2, "gone"),
        ("insert into agentdb.audit_log overriding system value select 99, recorded_at,"
         " transaction_at, xid, statement, audit_target_id, operation, row_key, old_values,"
         " new_values, session_role from agentdb.audit_log where row_key = '{\"id\": 2}'", 2,
         "2 rows were sealed, 3"),
        ("delete from agentdb.seal where seal_id = 2", 3, ""),
        ("update agentdb.seal set rows = 3 where seal_id = 2", 2, "sealed"),
        ("update agentdb.seal set digest = '' where seal_id = 1", 1, "changed"),
        ("update agentdb.seal set root = sha256('x') where seal_id = 2", 2, "seal itself"),
    ],
)  # fmt: skip
def test_first_seal_that_was_tampered_with_is_named(
    sealed: Connection, statement: LiteralString, seal: int, said: str
) -> None:
    tamper(sealed, statement)
    found = verify(sealed)
    assert found["intact"] is False
    assert found["broken_seal"] == seal
    assert said in found["problem"]


def test_chain_made_anew_does_not_lead_to_the_exported_root(sealed: Connection) -> None:
    root = value(
        sealed, "select encode(root, 'hex') from agentdb.seal where seal_id = 3"
    )
    assert verify(sealed, root)["intact"] is True
    tamper(sealed, "update agentdb.audit_log set run_id = 7")
    tamper(sealed, "delete from agentdb.seal")
    sealed.execute("select agentdb.seal_audit()")
    assert verify(sealed)["intact"] is True
    found = verify(sealed, root)
    assert found["intact"] is False
    assert "rewritten" in found["problem"]


def test_long_transaction_neither_blocks_nor_escapes(
    sealed: Connection, connect: Connect
) -> None:
    long = connect(sealed.info.dbname)
    with long.transaction():
        long.execute("insert into t values (50, 0)")
        for number in (4, 5):
            sealed.execute("insert into t values (%s, 0)", [number])
            assert value(sealed, "select rows from agentdb.seal_audit()") == 1
        long.execute("insert into t values (51, 0)")
    assert verify(sealed)["intact"] is True
    assert verify(sealed)["unsealed"] == 2
    assert value(sealed, "select rows from agentdb.seal_audit()") == 2
    tamper(
        sealed, "update agentdb.audit_log set run_id = 7 where row_key = '{\"id\": 50}'"
    )
    assert verify(sealed)["broken_seal"] == 6


def test_rolled_back_rows_and_savepoints_are_no_matter(sealed: Connection) -> None:
    with sealed.transaction(force_rollback=True):
        sealed.execute("insert into t values (60, 0)")
    with sealed.transaction():
        sealed.execute("insert into t values (61, 0)")
        with sealed.transaction():
            sealed.execute("insert into t values (62, 0)")
    assert value(sealed, "select rows from agentdb.seal_audit()") == 2
    assert verify(sealed)["intact"] is True


def test_moving_rows_to_their_partition_breaks_no_seal(sealed: Connection) -> None:
    sealed.execute("select agentdb.maintain()")
    assert value(sealed, "select count(*) from agentdb.audit_log_default") == 0
    assert verify(sealed)["intact"] is True


def test_seal_survives_the_retention_of_its_rows(sealed: Connection) -> None:
    tamper(
        sealed,
        "update agentdb.audit_log set recorded_at = recorded_at - interval '91 d'",
    )
    tamper(sealed, "delete from agentdb.seal")
    sealed.execute("select agentdb.seal_audit()")
    sealed.execute("insert into t values (70, 0)")
    sealed.execute("select agentdb.seal_audit()")
    for _ in range(2):
        sealed.execute("select agentdb.maintain()")
    assert value(sealed, "select count(*) from agentdb.audit_log") == 1
    found = verify(sealed)
    assert (found["intact"], found["expired"], found["rows"]) == (True, 1, 7)


def test_old_snapshot_cannot_seal_twice(sealed: Connection, connect: Connect) -> None:
    other = connect(sealed.info.dbname)
    other.execute("begin isolation level repeatable read")
    other.execute("select count(*) from agentdb.seal")
    sealed.execute("insert into t values (80, 0)")
    sealed.execute("select agentdb.seal_audit()")
    sealed.execute("insert into t values (81, 0)")
    assert rows(other, "select * from agentdb.seal_audit()") == []
    other.execute("commit")
    assert value(sealed, "select rows from agentdb.seal_audit()") == 1
    assert verify(sealed)["intact"] is True


def test_only_operators_seal_and_agents_do_not_verify(
    sealed: Connection, connect: Connect
) -> None:
    operator = connect(sealed.info.dbname, "operator_o")
    operator.execute("select agentdb.seal_audit()")
    auditor = connect(sealed.info.dbname, "auditor_u")
    assert verify(auditor)["intact"] is True
    agent = connect(sealed.info.dbname, "agent_a")
    for call in ("select agentdb.seal_audit()", "select agentdb.verify_audit()"):
        assert refusal(agent, call).sqlstate == "42501"


def test_snapshot_behind_the_last_seal_is_refused(sealed: Connection) -> None:
    with sealed.transaction():
        sealed.execute("set local session_replication_role = replica")
        sealed.execute("update agentdb.seal set snapshot = '999999999:999999999:'")
    refused = refusal(sealed, "select agentdb.seal_audit()")
    assert refused.sqlstate == "55000"
    assert "999999999" in (refused.message_primary or "")
