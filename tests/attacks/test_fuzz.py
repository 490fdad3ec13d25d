"""Every function that anybody may call, with values that nobody meant.

What comes back is a result or an error that docs/errors.md names: never an internal one,
and an error has written nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pg8000.dbapi
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

from ..agents import Row, rows, start
from ..conftest import Connection, create_database, drop_database
from ..servers import Server

ERRORS = Path(__file__).parents[2] / "docs/errors.md"
# The same calls each time, but for `make soak`, which tries new ones, and more.
TIMES = int(os.environ.get("AGENTDB_FUZZ", "1"))
# Each of a group that may call something, and how many calls are tried of it.
CALLERS = {
    "agent_a": 400, "operator_o": 400, "reviewer_r": 120, "auditor_u": 160,
    "intake_i": 120,
}  # fmt: skip
# What waits on purpose, or ends what the next examples need.
LEFT_OUT = {"drain_run", "kill_all", "wait_for_change"}
DEEP = "[" * 200 + "]" * 200
TEXTS = [
    "", " ", "\n", "x", "a", "l", "null", "NaN", "%s %n", "';drop table x;--", "\\", "$1",
    "x" * 70_000, "\x1b[2J\u009b\u202e\u200b", "é\u0301\U0001f600", "\ufffe\uffff",
    "app.orders", "app.happy", "silent_loop", "email", "insert", "update", "killed",
    '{"a": 1}', "[1, 2]", DEEP, "1 day", "2026-01-01", "-1", "9" * 400,
]  # fmt: skip
NUMBERS = [0, 1, -1, 2, 7, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)]
DOUBLES = ["NaN", "Infinity", "-Infinity", "1e308", "-0.0", "5e-324", "0", "1.5"]
SPANS = [
    "0", "1 s", "-1 s", "1 day", "1 month -30 days", "178000000 years",
    "-178000000 years", "1000000 hours", "00:00:00.000001",
]  # fmt: skip
MOMENTS = [
    "now", "epoch", "infinity", "-infinity", "4713-01-01 00:00Z BC",
    "294276-12-31 23:59:59Z", "tomorrow", "2000-01-01 00:00Z",
]  # fmt: skip
JSONS = [
    "null", "{}", "[]", "0", "1e1000", '"x"', '""', "true", DEEP, '{"": ""}',
    '[null, 1, "x", {}]', '{"id": 1}', '[{"id": 1}]', '[{"id": null}]', '[{"tool": 3}]',
    '[{"tool": "t", "args": {"a": [1]}, "ok": "maybe"}]', '[{"step": {"a": 1}}]',
    '[{"input": 1e30}]', '[{"input": "NaN"}]', '{"a": "' + "x" * 70_000 + '"}',
    '"{\\"a\\": 1}"', '{"operations": ["truncate"]}', '{"agent": "a"}',
    '[{"kind": "call", "agent": "a", "proven": true, "tool": "t", "ids": [1, null]}]',
    '[{"kind": "tokens", "agent": "a", "proven": true, "input": 1e30, "at": "now"}]',
]  # fmt: skip
TABLES = [
    "app.orders",
    "app.happy",
    "app.billing",
    "app.ledger",
    "agentdb.run",
    "pg_class",
]
POOL: dict[str, list[Any]] = {
    "text": TEXTS,
    "name": [*TEXTS[:12], "agent_a", "app_user", "postgres"],
    "bigint": NUMBERS,
    "integer": NUMBERS[:7],
    "double precision": DOUBLES,
    "boolean": [True, False],
    "interval": SPANS,
    "timestamp with time zone": MOMENTS,
    "jsonb": JSONS,
    "regclass": TABLES,
    "oid": ["0", "1", "1259", "4294967295"],
    "text[]": ["{}", "{a}", "{NULL}", "{note,amount}", "{'',x}"],
    "bigint[]": ["{}", "{1,NULL}", "{9223372036854775807}"],
    '"char"[]': ["{}", "{*,r}", "{x}"],
    "xid8": ["0", "3", "18446744073709551615"],
    "date": ["2026-01-01", "infinity", "4713-01-01 BC"],
}


@dataclass(frozen=True)
class Function:
    """A function, and the names and types of what it takes."""

    name: str
    arguments: tuple[tuple[str, str], ...]
    required: int


# Anything but a fault of the server: class XX, and what never comes from arguments.
INTERNAL = re.compile("(?!XX|42P|P0|58)\\w{5}")

FUNCTIONS = """
select p.proname, p.pronargs - p.pronargdefaults as required,
  array(
    select a.name || ' ' || format_type(a.type, null)
    from unnest(coalesce(p.proargnames, '{}'), coalesce(p.proallargtypes, p.proargtypes),
        coalesce(p.proargmodes, array_fill('i'::"char", array[p.pronargs])))
      with ordinality as a (name, type, mode, place)
    where a.mode in ('i', 'b')
    order by a.place) as arguments
from pg_proc as p
where p.pronamespace = 'agentdb'::regnamespace
  and has_function_privilege(%s::text, p.oid, 'execute')
  and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
order by 1
"""
# What calls write, in one look.
WRITTEN = """
select (select count(*) from agentdb.run), (select count(*) from agentdb.progress_log),
  (select count(*) from agentdb.tool_call_log), (select count(*) from agentdb.tool_call),
  (select count(*) from agentdb.token_log), (select count(*) from agentdb.claim),
  (select count(*) from agentdb.change), (select count(*) from agentdb.change_row),
  (select count(*) from agentdb.lock), (select count(*) from agentdb.stop_log),
  (select count(*) from agentdb.question), (select count(*) from agentdb.audit_log),
  (select count(*) from agentdb.silence), (select count(*) from agentdb.policy)
"""


def function_of(row: Row) -> Function:
    arguments = tuple(tuple(each.split(" ", 1)) for each in row["arguments"])
    return Function(row["proname"], arguments, row["required"])


def documented() -> re.Pattern[str]:
    """Return what docs/errors.md says a call may be refused with."""
    said = re.findall(r"^\| `(\w{5}|\w\w…)` \|", ERRORS.read_text(), re.M)
    return re.compile("|".join(each.replace("…", "...") for each in said))


@pytest.fixture(scope="module")
def played(server: Server, admin: Connection, scenery: str) -> Iterator[str]:
    """A copy of the scene with something in it."""
    name = f"{scenery}_fuzz"
    create_database(admin, name, scenery)
    with psycopg.connect(server.dsn(database=name, user="agent_a")) as session:
        start(session)
        session.execute("select * from agentdb.acquire_lock('l')")
        session.execute(
            "select * from agentdb.log_tool_call('t', '{}', call_id => 'c')"
        )
        session.execute(
            "select * from agentdb.claim_rows('app.orders', 'update', count => 1)"
        )
        session.commit()
        session.execute("update agentdb_stage.happy set amount = 7 where id = 1")
        session.execute("update app.orders set note = 'fuzzed' where id = 1")
    yield name
    drop_database(admin, name)


@pytest.mark.parametrize("role", CALLERS)
@pytest.mark.parametrize("driver", ["psycopg", "psycopg-binary", "pg8000"])
def test_no_call_fails_in_a_way_that_nobody_described(
    server: Server, played: str, role: str, driver: str
) -> None:
    dsn = server.dsn(database=played, user=role)
    watch = psycopg.connect(server.dsn(database=played), autocommit=True)
    known, called = documented(), set()
    with closing(watch), closing(session_of(driver, dsn)) as session:
        functions = [
            function
            for row in rows(watch, FUNCTIONS, role)
            if (function := function_of(row)).name not in LEFT_OUT
            and all(kind in POOL for _, kind in function.arguments)
        ]

        @settings(
            max_examples=max(CALLERS[role], len(functions) // 2) * TIMES,
            derandomize=TIMES == 1,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def calls(data: st.DataObject) -> None:
            function = data.draw(st.sampled_from(functions))
            given_ = {
                name: data.draw(st.none() | st.sampled_from(POOL[kind]))
                for place, (name, kind) in enumerate(function.arguments)
                if place < function.required or data.draw(st.booleans())
            }
            before = watch.execute(WRITTEN).fetchone()
            state = session.call(function, given_)
            called.add(function.name)
            if state:
                # What views call for their readers is nobody's interface, and a rule at
                # a moment of no calendar is PostgreSQL's to refuse.
                ours = not function.name.startswith(("_", "rule_"))
                fits = known if ours else INTERNAL
                assert fits.fullmatch(state), f"{state} of {function.name}({given_})"
                assert watch.execute(WRITTEN).fetchone() == before

        calls()
    assert len(called) > len(functions) / 3


class Session(Protocol):
    def call(self, function: Function, given: dict[str, Any]) -> str: ...
    def close(self) -> None: ...


def session_of(driver: str, dsn: str) -> Session:
    return (
        Pg8000(dsn) if driver == "pg8000" else Psycopg(dsn, binary="binary" in driver)
    )


def statement(function: Function, given: dict[str, Any], mark: str) -> str:
    """Return the call, each argument by name and cast to its type."""
    kinds = dict(function.arguments)
    names = ", ".join(f"{name} => {mark}::{kinds[name]}" for name in given)
    return f"select * from agentdb.{function.name}({names})"


class Psycopg:
    """psycopg, with parameters as text or, where it has them, in binary."""

    def __init__(self, dsn: str, *, binary: bool) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._binary = binary

    def call(self, function: Function, given: dict[str, Any]) -> str:
        """Return the SQLSTATE, nothing where it worked."""
        text = statement(function, given, "%b" if self._binary else "%t")
        kinds = dict(function.arguments)
        values = [self._value(kinds[name], value) for name, value in given.items()]
        try:
            self._connection.execute(text.encode(), values)
        except psycopg.Error as error:
            return error.sqlstate or "none"
        return ""

    def _value(self, kind: str, value: Any) -> Any:
        if self._binary and kind == "jsonb" and value is not None:
            return Jsonb(None, dumps=lambda _: value)
        if self._binary and kind == "double precision" and value is not None:
            return float(value)
        # As a client without types sends it.
        return str(value).lower() if value is not None and not self._binary else value

    def close(self) -> None:
        self._connection.close()


class Pg8000:
    """pg8000, which sends text and lets the server say what it is."""

    def __init__(self, dsn: str) -> None:
        parts = conninfo_to_dict(dsn)
        self._connection = pg8000.dbapi.connect(
            user=str(parts["user"]),
            database=str(parts["dbname"]),
            unix_sock=f"{parts['host']}/.s.PGSQL.{parts['port']}",
        )
        self._connection.autocommit = True

    def call(self, function: Function, given: dict[str, Any]) -> str:
        """Return the SQLSTATE, nothing where it worked."""
        text = statement(function, given, "%s::text").replace("::text::", "::text::")
        values = [None if v is None else str(v) for v in given.values()]
        try:
            self._connection.cursor().execute(text, values)
        except pg8000.dbapi.DatabaseError as error:
            return str(error.args[0]["C"])
        return ""

    def close(self) -> None:
        self._connection.close()
