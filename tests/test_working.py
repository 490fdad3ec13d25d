"""Long commands say what is at work, and a Ctrl-C in one leaves nothing half done."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from .agents import register, rows, start, value
from .conftest import Connection, Dump
from .processes import interruptible
from .servers import Server

# What makes a command slow: its own work, done by the server at a snail's pace.
SLOW_DDL = """
create function public.sleep() returns event_trigger language plpgsql
  as $$ begin perform pg_sleep(3600); end $$;
create event trigger sleep on ddl_command_start when tag in
  ('CREATE TABLE', 'CREATE FUNCTION', 'DROP FUNCTION', 'DROP VIEW', 'DROP TRIGGER')
  execute function public.sleep();
"""
SLOW_ROWS = """
create function public.sleep() returns trigger language plpgsql
  as $$ begin perform pg_sleep(3600); return new; end $$;
create trigger sleep before update on public.t for each row
  execute function public.sleep();
"""
SLOW_SEALS = """
create or replace function agentdb._broken_erasure() returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp
  as $$ begin perform pg_sleep(3600); return null; end $$;
select from agentdb.seal_audit();
"""
RULE = """
create function public.rule_slow(as_of timestamptz)
  returns table (labels jsonb, value float, annotations jsonb) language sql
  as $$ select '{"who": "x"}'::jsonb, 1::float, '{}'::jsonb from pg_sleep(%s) $$;
create view public.slow as select * from public.rule_slow(now());
grant select on public.slow to agentdb_operator;
insert into agentdb.alert_rule (rule_name, description, view_name, severity)
  values ('slow', 'is slow', 'public.slow', 'warning');
"""
# Each with what makes it slow.
LONG = {
    "approve": (SLOW_ROWS, ["approve", "1", "--digest", "{digest}"]),
    "undo": (SLOW_ROWS, ["undo", "1", "--reason", "x"]),
    "install": (SLOW_DDL, ["install"]),
    "uninstall": (SLOW_DDL, ["uninstall", "--yes"]),
    "maintain": (SLOW_DDL, ["maintain", "--days-ahead", "30"]),
    "seals": (SLOW_SEALS, ["seals"]),
    "rules backtest": (RULE % 3600, ["rules", "backtest", "slow"]),
}
SLEEPER = """
select count(*) from pg_stat_activity
where datname = current_database() and wait_event = 'PgSleep'
"""
OTHERS = """
select count(*) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
  and backend_type = 'client backend'
"""
STATE = """
select
  (select jsonb_agg(to_jsonb(c) order by c.change_id) from agentdb.change as c) as changes,
  (select jsonb_agg(to_jsonb(t)) from public.t) as rows,
  (select count(*) from agentdb.audit_log) as log,
  (select jsonb_agg(p.partition_name order by p.partition_name)
    from agentdb.log_partition as p) as partitions
"""


@pytest.fixture
def busy(db: Connection, server: Server) -> Connection:
    """A superuser's only session in a database with a run to undo and a change."""
    db.execute(
        "create table t (id int primary key, v int); select agentdb.audit_table('t');"
        "insert into t values (1, 1), (2, 2); grant select, update on t to agent_a"
    )
    register(db)
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    with psycopg.connect(dsn, autocommit=True) as agent:
        start(agent)
        agent.execute("update t set v = v + 10")
        db.execute("select agentdb.guard_table('t')")
        agent.execute("update agentdb_stage.t set v = 100 where id = 1")
    return db


def begin(
    words: list[str], dsn: str, stderr: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start a command as a shell does, which Ctrl-C reaches."""
    return subprocess.Popen(
        [sys.executable, "-m", "agentdb", *words],
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "AGENTDB_DSN": dsn, "TERM": "xterm", "COLUMNS": "100"},
        preexec_fn=interruptible,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def until(db: Connection, query: str, wanted: int) -> None:
    """Wait until a count is what is wanted; a minute is a failure."""
    for _ in range(600):
        if value(db, query) == wanted:
            return
        time.sleep(0.1)
    raise AssertionError(f"{query} is {value(db, query)}")


@pytest.mark.parametrize("command", LONG)
def test_interrupted_command_has_changed_nothing(
    command: str, busy: Connection, server: Server, dump: Dump
) -> None:
    slow, words = LONG[command]
    busy.execute(slow.encode())
    before, shape = rows(busy, STATE), dump(busy.info.dbname)
    until(busy, OTHERS, 0)
    digest = value(busy, "select digest from agentdb.show_change(1)")
    process = begin(
        [word.format(digest=digest) for word in words],
        server.dsn(database=busy.info.dbname),
    )
    until(busy, SLEEPER, 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[1:] == ["interrupted: nothing was changed"]
    assert not out
    until(busy, SLEEPER, 0)
    until(busy, OTHERS, 0)
    assert rows(busy, STATE) == before
    assert dump(busy.info.dbname) == shape


# Commits what its first argument's trigger holds up, as commands do.
COMMIT = """
import sys, psycopg
from agentdb.cli.failure import interrupted
from agentdb.process.interrupt import committing
connection = psycopg.connect(sys.argv[1])
connection.execute("update t set v = 0 where id = 2")
try:
    with committing():
        connection.commit()
except KeyboardInterrupt as error:
    sys.exit(interrupted(error, undone=True).message)
"""


def test_interrupted_commit_is_not_said_to_have_changed_nothing(
    db: Connection, server: Server
) -> None:
    db.execute(
        "create table t (id int primary key, v int); insert into t values (2, 2)"
    )
    db.execute(SLOW_ROWS.replace("trigger sleep before", "constraint trigger sleep after")
        .replace("for each row", "deferrable initially deferred for each row"))  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", COMMIT, server.dsn(database=db.info.dbname)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    until(db, SLEEPER, 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "while it was being committed" in err
    until(db, SLEEPER, 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["undo", "1", "--dry-run"], "undoing run 1: 2 rows of 1 table …"),
        (["approve", "1", "--digest", "x"], "approving change 1: 1 row of 1 table …"),
        (["seals"], "hashing 4 rows under 1 seal …"),
        (["maintain"], "maintaining agentdb in "),
        (["install"], "installing agentdb in "),
        (["rules", "backtest", "slow", "--since", "1h"], "asking slow about the past 5 times …"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)  # fmt: skip
def test_in_a_pipe_one_line_says_what_is_at_work(
    words: list[str], said: str, busy: Connection, server: Server
) -> None:
    busy.execute((RULE % 0).encode())
    busy.execute("select from agentdb.seal_audit()")
    _, err = begin(words, server.dsn(database=busy.info.dbname)).communicate()
    assert err.startswith(said)
    assert len(re.findall(" …$", err, re.M)) == 1 and "\x1b" not in err


@pytest.mark.parametrize("words", [["undo", "1", "--reason", "x"], ["maintain"]])
def test_work_goes_on_where_nobody_can_read_about_it(
    words: list[str], busy: Connection, server: Server
) -> None:
    with open("/dev/full", "w") as full:
        process = begin(words, server.dsn(database=busy.info.dbname), full.fileno())
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out != "") == (0, True)


def test_terminal_shows_what_is_done_left_and_expected(
    busy: Connection, server: Server
) -> None:
    busy.execute((RULE % 0.2).encode())
    shown = on_terminal(
        ["rules", "backtest", "slow", "--since", "2h"], server, busy.info.dbname
    )
    assert "asking slow about the past 9 times" in shown
    assert {f"{done}/9" for done in (3, 5, 9)} <= set(re.findall(r"\d/9", shown))
    assert re.search(r"left .*\d:\d\d:\d\d", shown)


def test_terminal_counts_the_seals_as_the_server_hashes_them(
    busy: Connection, server: Server
) -> None:
    for number in range(4):
        busy.execute("update t set v = %s where id = 2", [number])
        busy.execute("select from agentdb.seal_audit()")
    hashing = value(busy, "select pg_get_functiondef('agentdb._hash_again'::regproc)")
    assert hashing.count("return query") == 1
    slow = hashing.replace("return query", "perform pg_sleep(0.2); return query")
    busy.execute(slow.encode())
    shown = on_terminal(["seals"], server, busy.info.dbname)
    assert {f"{done}/4" for done in (1, 2, 3, 4)} <= set(re.findall(r"\d/4", shown))
    assert "agentdb: seal" not in shown


def test_terminal_shows_the_size_of_what_is_one_statement(
    busy: Connection, server: Server
) -> None:
    shown = on_terminal(["undo", "1", "--dry-run"], server, busy.info.dbname)
    assert "undoing run 1: 2 rows of 1 table" in shown
    assert re.search(r"\d:\d\d:\d\d", shown)


def on_terminal(words: list[str], server: Server, database: str) -> str:
    """Return what a terminal gets on its standard error."""
    master, slave = pty.openpty()
    process = begin(words, server.dsn(database=database), stderr=slave)
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
    except OSError:
        pass  # The command has ended, and with it the terminal's last writer.
    os.close(master)
    process.communicate()
    return shown.decode()
