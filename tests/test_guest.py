"""What operators wrote runs with the rights of operators, whoever looks at it."""

from __future__ import annotations

import pytest

from .agents import value
from .conftest import Connect, Connection
from .servers import Server
from .test_cli import agentdb

# Each tries to leave the transaction, the role, or the machine of whoever looks.
ATTACKS = {
    "a statement more": "commit; create table public.pwned (); select 1 as x",
    "the savepoint": "rollback to _pg3_1; set transaction read write; select 1 as x",
    "a file": "select pg_read_file('PG_VERSION') as x",
    "a program": "copy (select 1) to program 'cat > /dev/null'",
    "a setting": "select pg_reload_conf() as x",
    "a function": "select op.f() as x",
    "the role": "select set_config('role', 'none', true) as x, op.f()",
}
F = """
create schema op authorization operator_o;
grant usage on schema op to agentdb_operator;
"""
FUNCTION = """
create function op.f () returns text language plpgsql as $$
begin
  begin
    perform set_config('role', 'none', true);
  exception when others then null;
  end;
  return case (select rolsuper from pg_roles where rolname = current_user)
    when true then 'SUPER' else 'plain' end;
end $$;
create function op.g () returns jsonb language plpgsql immutable as $$
begin return jsonb_build_object('who', op.f()); end $$;
create view op.seen as
  select op.g() as labels, 1::float8 as value,
    jsonb_build_object('summary', op.f()) as annotations;
create function op.rule_seen (at timestamptz)
  returns table (labels jsonb, value float8, annotations jsonb)
  language sql as 'select labels, value, annotations from op.seen';
grant select on op.seen to agentdb_operator;
"""
RULE = """
insert into agentdb.alert_rule
  (rule_name, description, view_name, severity, evidence_query)
values ('mine', 'x', 'op.seen', 'warning', %s)
"""
ALERT = """
select agentdb.ingest('mine',
  (select evaluation from agentdb.alert_rule where rule_name = 'mine'),
  '[{"labels": {"x": "y"}, "value": 1, "annotations": {"summary": "look at me"}}]')
"""


@pytest.fixture
def operator(db: Connection, connect: Connect) -> Connection:
    """An operator who has written functions, and a view for a rule."""
    db.execute(F)
    session = connect(db.info.dbname, "operator_o")
    session.execute(FUNCTION)
    return session


@pytest.mark.parametrize("attack", ATTACKS)
def test_evidence_cannot_do_what_its_writer_cannot(
    db: Connection, operator: Connection, server: Server, attack: str
) -> None:
    operator.execute(RULE, [ATTACKS[attack]])
    operator.execute(ALERT)
    said = agentdb("why", "A-1", dsn=server.dsn(database=db.info.dbname))
    assert "evidence" in said and "SUPER" not in said
    shown = attack in ("a function",)
    assert shown == ("plain" in said.rpartition("evidence")[2])
    assert ("error" in said.rpartition("evidence")[2]) != shown
    assert value(db, "select to_regclass('public.pwned')") is None


@pytest.mark.parametrize("attack", ["a statement more", "a function"])
def test_lint_runs_it_as_an_operator(
    db: Connection, operator: Connection, server: Server, attack: str
) -> None:
    # Behind "explain" there would be room for more.
    operator.execute(RULE, [ATTACKS[attack].replace("commit", "select 1; commit")])
    code = 1 if attack == "a statement more" else 0
    dsn = server.dsn(database=db.info.dbname)
    said = agentdb("rules", "lint", "mine", dsn=dsn, code=code)
    assert "SUPER" not in said
    assert value(db, "select to_regclass('public.pwned')") is None


def test_backtest_runs_it_as_an_operator(
    db: Connection, operator: Connection, server: Server
) -> None:
    operator.execute(RULE, [None])
    dsn = server.dsn(database=db.info.dbname)
    said = agentdb("rules", "backtest", "mine", "--since", "1m", dsn=dsn)
    assert "plain" in said and "SUPER" not in said


def test_who_cannot_be_an_operator_runs_nothing_of_theirs(
    db: Connection, operator: Connection, server: Server
) -> None:
    """An owner of tables who reads what an auditor reads."""
    db.execute("create table public.mine (); alter table public.mine owner to app_user")
    db.execute("grant agentdb_auditor to app_user")
    operator.execute(RULE, ["select 'innocent'::text as x"])
    operator.execute(ALERT)
    dsn = server.dsn(database=db.info.dbname, user="app_user")
    try:
        said = agentdb("why", "A-1", dsn=dsn)
    finally:
        db.execute("revoke agentdb_auditor from app_user")
    assert "--sql" in said.rpartition("evidence")[2] and "innocent" not in said
