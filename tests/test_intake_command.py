"""Commands about emitters, and what their tokens prove, as a shell types them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .agents import register, value
from .commands import run

if TYPE_CHECKING:
    from .conftest import Connect, Connection
    from .servers import Server


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    """The connection of a person on call."""
    register(db)
    return server.dsn(database=db.info.dbname, user="operator_o")


def test_nobody_hides_problems_of_an_agent(db: Connection, connect: Connect) -> None:
    emitter = connect(db.info.dbname, "intake_i")
    note = "select agentdb.note_problem(jsonb_build_object('reason', %s::text, 'agent', %s::text))"
    for number in range(1005):
        emitter.execute(note, [f"made up {number}", None])
    emitter.execute(note, ["field_vanished", "a"])
    found = "select count(*) from agentdb.intake_problem where reason = %s"
    assert value(db, found, "field_vanished") == 1
    assert value(db, "select count(*) from agentdb.intake_problem") == 502


def test_a_token_is_shown_once_proves_and_is_revoked(
    db: Connection, connect: Connect, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run(monkeypatch, ["intake", "token", "a"], dsn)
    assert said.code == 0, said
    token, header, variable, of_hooks = (
        line for line in said.out.splitlines() if "adbi_" in line
    )
    assert header == f"Authorization: Bearer {token}"
    assert variable == f"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{token}"
    assert of_hooks == f"AGENTDB_INTAKE_TOKEN={token}"
    emitter = connect(db.info.dbname, "intake_i")
    assert value(emitter, "select agentdb.agent_of_intake(%s)", token) == "a"
    listed = run(monkeypatch, ["intake", "tokens"], dsn)
    assert " a " in listed.out and token not in listed.out
    ended = run(monkeypatch, ["intake", "revoke", "1"], dsn)
    assert "token 1 of agent a proves nothing any more" in ended.out
    assert value(emitter, "select agentdb.agent_of_intake(%s)", token) is None
    assert "none" in run(monkeypatch, ["intake", "tokens"], dsn).out
    assert " a " in run(monkeypatch, ["intake", "tokens", "--all"], dsn).out
    again = run(monkeypatch, ["intake", "revoke", "1"], dsn)
    assert again.code == 1 and "agentdb intake tokens" in again.hint


def test_an_agent_is_registered_with_its_token(
    db: Connection, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = run(monkeypatch, ["intake", "token", "coder"], dsn)
    assert unknown.code == 1 and unknown.hint
    said = run(monkeypatch, ["intake", "token", "coder", "--register"], dsn)
    assert said.code == 0, said
    where = "select role_name from agentdb.agent where agent_name = 'coder'"
    assert value(db, where) == "agentdb_intake"
    twice = run(monkeypatch, ["intake", "token", "coder", "--register"], dsn)
    assert twice.code == 1 and "make_intake_token" in twice.hint
    assert value(db, "select count(*) from agentdb.intake_token") == 1


def test_problems_are_listed_by_kind(
    db: Connection, connect: Connect, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    emitter = connect(db.info.dbname, "intake_i")
    note = (
        'select agentdb.note_problem(\'{"reason": "malformed", "path": '
        '"/v1/traces", "emitter": "x 1.0", "sample": "\\u001b[2Jbad"}\')'
    )
    for _ in range(3):
        emitter.execute(note)
    emitter.execute(note.replace('"sample"', '"count": 7, "sample"'))
    said = run(monkeypatch, ["intake", "problems"], dsn)
    assert "malformed" in said.out and "/v1/traces" in said.out
    assert "\x1b" not in said.out
    assert value(db, "select count from agentdb.intake_problems") == 10
