"""Whatever stands in the database, no command prints what a terminal would obey or hide."""

from __future__ import annotations

import io
import logging
import re
import unicodedata

import psycopg
import pytest
from psycopg import sql

from agentdb.runner import logs

from .agents import evaluate, register, rows, start
from .commands import ARGUMENTS, MORE, run, words
from .conftest import Connect, Connection
from .servers import Server

# An escape sequence, a carriage return, C1, a right-to-left mark, zero width, DEL.
EVIL = "\x1b[2J\r\x07\x9b31m\u202egnp\u2066\u200b\ufeff\u2028\x7f"
# What stays as it is: by these the commands find what they are asked for.
KEPT = re.compile(
    "agent_name|role_name|rule_name|policy_name|state|kind|outcome|severity|level|channel"
    "|operation|verdict|digest|lock_name|receiver_name|view_name|evidence_query|view_sql"
    "|health|action|.*_function|condition|base_type|type_name|form|.*_sql|.*_statement"
    "|setting|unbound_writes|labels|matchers|group_by|parallel|fingerprint"
)
COLUMNS = """
select c.oid::regclass::text as name, a.attname as column,
  a.atttypid = 'jsonb'::regtype as json
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'agentdb'::regnamespace and c.relkind in ('r', 'p')
  and not c.relispartition and a.attgenerated = ''
  and a.atttypid in ('text'::regtype, 'jsonb'::regtype, 'text[]'::regtype)
"""
TABLES = """
create table customer (id int primary key, name text, {odd} text);
create table {odd} (id int primary key, v text);
create table guarded ({odd} text primary key, v text);
select agentdb.audit_table('customer'), agentdb.guard_table('guarded'),
  agentdb.audit_table({name}::regclass),
  agentdb.fence_table('public.customer', 'nightly');
insert into customer values (1, {evil}, {evil});
insert into {odd} values (1, {evil});
grant select, insert, update on customer, guarded, {odd} to agent_a
"""
CALLS = [
    "log_tool_call('search', '{\"q\": 1}', false, 'none'), generate_series(1, 6)",
    "log_tokens(1, 1)", "log_progress('step', '{\"a\": 1}')",
    "acquire_lock('nightly', '1 hour')",
    "ask_human('go on?', options => '[\"yes\", \"no\"]')",
    "claim_rows('customer', 'insert', keys => '[{\"id\": 7}]')", "claim_file('/tmp/x')",
]  # fmt: skip
# What comes from emitters, with proof and without.
TOLD = """
select agentdb.make_intake_token('billing'),
  agentdb.note_problem('{"reason": "malformed", "emitter": "e", "sample": "s"}'),
  count(*)
from agentdb.record_events('[
  {"kind": "call", "agent": "billing", "proven": true, "conversation": "c",
    "thread": "t", "tool": "read", "args": {"a": 1}, "emitter": "e", "call_id": "1"},
  {"kind": "begin", "agent": "billing", "proven": true, "conversation": "c",
    "tool": "look", "call_id": "2"},
  {"kind": "call", "agent": "billing", "conversation": "run-1", "tool": "rm"}
]')
"""
SPOIL = """
create function public.spoil (given jsonb, evil text) returns jsonb language sql as $$
  select case jsonb_typeof(given)
    when 'string' then to_jsonb((given #>> '{}') || evil)
    when 'array' then (
      select coalesce(jsonb_agg(public.spoil(v, evil)), '[]')
      from jsonb_array_elements(given) as v)
    when 'object' then (
      select coalesce(jsonb_object_agg(k, public.spoil(v, evil)), '{}')
        || jsonb_build_object('evil' || evil, evil)
      from jsonb_each(given) as e (k, v))
    else given end $$
"""
# What is not stopped, sent, asked or done by it.
READING = sorted(
    " ".join(words(command))
    for command in set(ARGUMENTS) & {
        "alerts", "audit", "change show", "changes", "check", "claims", "costs", "doctor",
        "install", "intake problems", "intake tokens", "locks", "maintain", "outbox", "prompt", "questions", "rules backtest",
        "rules explain", "rules lint", "rules list", "runs", "seals", "silences", "status",
        "timeline", "verify", "why"}
) + [each for each in MORE if each.split()[0] not in ("kill", "silence", "undo")] + [
    "change show 2", "undo 1 --dry-run", "kill 1 --reason x --yes", "undo 4711 --dry-run",
]  # fmt: skip


@pytest.fixture
def spoiled(db: Connection, connect: Connect, server: Server) -> str:
    """A database with one of everything, each with what could ever be put there."""
    build(db, connect(db.info.dbname, "agent_a"))
    db.execute(SPOIL)
    db.execute("set session_replication_role = replica")
    assert sum(spoil(db, **each) for each in rows(db, COLUMNS)) > 100
    return server.dsn(database=db.info.dbname)


def build(db: Connection, agent: Connection) -> None:
    """Have tables with such names written, and everything done that is recorded."""
    odd = sql.Identifier(f"n{EVIL}")
    names = {
        "odd": odd,
        "evil": sql.Literal(EVIL),
        "name": sql.Literal(odd.as_string(db)),
    }
    db.execute(sql.SQL(TABLES).format(**names))
    register(db, "billing")
    start(agent, purpose="everything")
    for call in CALLS:
        agent.execute(f"select from agentdb.{call}".encode())
    agent.execute("insert into agentdb_stage.guarded values (%s, %s)", [EVIL, EVIL])
    agent.execute("update customer set name = name || 'b'")
    agent.execute(sql.SQL("update {} set v = v || 'b'").format(odd))
    agent.execute(
        "insert into agentdb_stage.guarded values (%s, 'second')", ["b" + EVIL]
    )
    db.execute(TOLD)
    evaluate(db)
    db.execute("select agentdb.silence_alerts('agent=x', '1 hour', 'test')")
    # So that install --check has something to say.
    db.execute(
        sql.SQL("alter table {} disable trigger agentdb_audit_insert").format(odd)
    )


def spoil(db: Connection, name: str, column: str, json: bool) -> int:
    """Add it to all values of a column, where nothing forbids it; return how many."""
    if KEPT.fullmatch(column):
        return 0
    change = "public.spoil({c}, %(evil)s)" if json else "{c} || %(evil)s::text"
    query = f"update {name} set {{c}} = {change} where {{c}} is not null"
    spoiling = sql.SQL(query).format(c=sql.Identifier(column))
    try:
        return db.execute(spoiling, {"evil": EVIL}).rowcount
    except psycopg.errors.IntegrityError:
        return 0


def seen(text: str) -> list[str]:
    """Return the lines with what a terminal would obey, hide or turn around."""
    return [
        repr(line)
        for line in text.split("\n")
        if any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") for c in line)
    ]


def test_no_command_prints_it(spoiled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, answered = {}, 0
    for command in READING:
        for form in ("", "--json", "--sql"):
            said = run(monkeypatch, [*command.split(), *form.split()], spoiled)
            answered += "\ufffd" in said.out + said.err or "\\u202e" in said.out
            if lines := seen(said.out + said.err):
                found[f"{command} {form}"] = lines[:3]
    assert found == {}
    # Of those that were asked for what was spoiled.
    assert answered > 20


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_log_writes_it(form: str) -> None:
    """Errors of the database and of libraries quote what agents wrote."""
    stream = io.StringIO()
    handler = logs.Handler(stream)
    handler.setFormatter(
        logs.TextFormatter() if form == "text" else logs.JsonFormatter()
    )
    try:
        raise ValueError(EVIL)
    except ValueError as error:
        told = logging.LogRecord(
            "x", logging.ERROR, "", 0, EVIL, None, (type(error), error, None)
        )
    told.details = {"error": EVIL, "more": [EVIL]}
    handler.emit(told)
    assert "ValueError" in stream.getvalue() and seen(stream.getvalue()) == []
