"""What operators do to the database, one function an act."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from ..process.interrupt import committing
from ..waking import CHANGES, STOPS
from ..words import freed
from .wake import wake

if TYPE_CHECKING:
    from typing_extensions import LiteralString

REGISTER = """
select r.secret from agentdb.register_agent(
  name => %(name)s::text, role_name => %(role)s::text,
  policy => %(policy)s::text, pooled => %(pooled)s::boolean
) as r
"""

REGISTERED = """
select from agentdb.agent as a
where a.agent_name = %(name)s::text and a.role_name = %(role)s::text
  and a.policy_name = %(policy)s::text and not a.pooled and not %(pooled)s::boolean
"""

RELEASE = """
select coalesce(f.holder, 'nobody'), f.was from agentdb.force_release_lock(
  name => %(name)s::text, reason => %(reason)s::text, slot => %(slot)s::integer
) as f
"""

MARK = "select m.marked_at from agentdb.mark(name => %(name)s::text) as m"


def mark(dsn: str, name: str) -> datetime:
    """Give the present moment a name, at which the past is exact; return when it is."""
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        found = connection.execute(MARK, {"name": name}).fetchone()
        with committing():
            connection.commit()
    assert found is not None
    marked_at: datetime = found[0]
    return marked_at


def is_registered(dsn: str, name: str, *, role: str, policy: str, pooled: bool) -> bool:
    """Tell whether an agent is registered already, just as it is wanted."""
    values = {"name": name, "role": role, "policy": policy, "pooled": pooled}
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        return connection.execute(REGISTERED, values).fetchone() is not None


def register_agent(
    dsn: str,
    name: str,
    *,
    role: str,
    policy: str = "default",
    pooled: bool = False,
    create_role: bool = False,
) -> str | None:
    """Register an agent under a login role and return its secret, if it has one."""
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        if create_role:
            create_login(connection, role, "agentdb_agent")
        values = {"name": name, "role": role, "policy": policy, "pooled": pooled}
        row = connection.execute(REGISTER, values).fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


# Who creates an agent's role must not become a member of it: it would be an agent too.
NO_SELF_GRANT = """
select set_config(s.name, '', true) from pg_settings as s
where s.name = 'createrole_self_grant'
"""


def create_login(
    connection: psycopg.Connection[tuple[object, ...]], role: str, group: str
) -> None:
    """Create a login role unless it exists, and put it into one of our groups."""
    known = "select from pg_roles where rolname = %s::text"
    if connection.execute(known, [role]).fetchone() is None:
        connection.execute(NO_SELF_GRANT)
        create = sql.SQL("create role {} login").format(sql.Identifier(role))
        connection.execute(create)
    grant = sql.SQL("grant {} to {}").format(
        sql.Identifier(group), sql.Identifier(role)
    )
    connection.execute(grant)


def release_lock(
    dsn: str, name: str, *, reason: str, slot: int | None = None
) -> list[str]:
    """Take a lock from its holders, with a logged reason; return who had it."""
    with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
        values = {"name": name, "reason": reason, "slot": slot}
        holders = [str(row[0]) for row in connection.execute(RELEASE, values)]
        wake(connection, STOPS)
    return holders


KILL_RUN = """
select * from agentdb.kill_run(
  %(target)s::bigint, %(reason)s::text, tree => %(tree)s::boolean)
"""
KILL_AGENT = "select * from agentdb.kill_agent(%(target)s::text, %(reason)s::text)"
KILL_ALL = "select * from agentdb.kill_all(%(reason)s::text)"
DRAIN = "select run_id, drained from agentdb.drain_run(%s::bigint)"
DRAIN_AGENT = """
select agent_name from agentdb.drain_agent(%s::text) where not drained
"""
END_SESSIONS = "select pid, ended, problem from agentdb.end_sessions(%s::bigint)"
LEFT = "select said from agentdb.left_after_kill(%s::bigint)"
PAUSE = "select runs_paused from agentdb.pause_agent(%s::text, %s::text)"
RESUME = "select runs_resumed from agentdb.resume_agent(%s::text, %s::text)"


def kill(
    dsn: str, statement: str, *, target: object, reason: str, tree: bool = True
) -> list[str]:
    """Kill runs; return a line for each thing done, when nothing of them commits.

    The mark is committed first; then writers in flight are ended where we may
    signal them, and waited for.
    """
    with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
        values = {"target": target, "reason": reason, "tree": tree}
        killed = connection.execute(statement.encode(), values).fetchall()
        wake(connection, STOPS)
        lines = [
            f"run {run} of {agent} is killed: {freed(locks, reservations, changes)}"
            for run, agent, locks, reservations, changes in killed
        ]
        drained: dict[int, bool] = {}
        for run, *_ in killed:
            lines += _end_sessions(connection, run)
            if run not in drained:
                drained |= dict(connection.execute(DRAIN, [run]).fetchall())
        lines += [line for each in drained.items() for line in _drained(*each)]
        lines += [line for run in drained for line in _left(connection, run)]
        lines = lines or ["no run was open"]
        if statement != KILL_RUN:
            lines += _finish_agent(connection, target)
            if target is not None:
                lines.append(
                    f"it starts nothing until: agentdb resume {target} --reason …"
                )
    # Of several runs much is the same.
    return list(dict.fromkeys(lines))


def _finish_agent(
    connection: psycopg.Connection[tuple[object, ...]], agent: object
) -> list[str]:
    """Wait for the last writers of an agent, or of all, outside any run."""
    return [
        f"agent {name} still has a transaction open outside its runs, or prepared: it "
        "can commit what it wrote before; end its sessions, and see agentdb doctor"
        for (name,) in connection.execute(DRAIN_AGENT, [agent]).fetchall()
    ]


def _end_sessions(
    connection: psycopg.Connection[tuple[object, ...]], run: object
) -> list[str]:
    """End the sessions of a killed run, where we may."""
    return [
        f"session {pid} is ended" if ended else f"session {pid} goes on: {problem}"
        for pid, ended, problem in connection.execute(END_SESSIONS, [run]).fetchall()
    ]


def _drained(run: int, drained: bool) -> list[str]:
    if drained:
        return [f"nothing of run {run} can commit any more"]
    return [
        f"run {run} still has a transaction open: it can commit what it "
        "wrote before; end its sessions"
    ]


def _left(connection: psycopg.Connection[tuple[object, ...]], run: object) -> list[str]:
    """Say what a kill of a run could not reach."""
    return [str(said) for (said,) in connection.execute(LEFT, [run]).fetchall()]


def pause(dsn: str, statement: str, *, agent: str, reason: str) -> int:
    """Pause or resume an agent; return how many open runs that concerned."""
    with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
        row = connection.execute(statement.encode(), [agent, reason]).fetchone()
        wake(connection, STOPS)
    assert row is not None
    return int(str(row[0]))


APPROVE = """
select state, approvals_missing, problem from agentdb.approve_change(
  %(change)s::bigint, %(digest)s::text, %(comment)s::text)
"""
REJECT = "select state from agentdb.reject_change(%(change)s::bigint, %(reason)s::text)"
UNDO = """
select change_id, state, row_count, conflicts, left_undone from agentdb.undo_{kind}(
  {key}, %(reason)s::text, %(on_conflict)s::text, include => %(only)s::text::jsonb,
  keep => %(keep)s::text::jsonb)
"""
# Values as their own text: a float would round them.
CHANGE_ROWS: LiteralString = """
select r.table_name, r.operation, k.texts as row_key, c.texts as context,
  o.texts as old_values, n.texts as new_values
from agentdb.show_change_rows({change}, {limit}) as r
cross join lateral (select jsonb_object_agg(v.key, v.value #>> '{{}}') as texts
  from jsonb_each(r.row_key) as v) as k
cross join lateral (select jsonb_object_agg(v.key, v.value #>> '{{}}') as texts
  from jsonb_each(r.context) as v) as c
cross join lateral (select jsonb_object_agg(v.key, v.value #>> '{{}}') as texts
  from jsonb_each(r.old_values) as v) as o
cross join lateral (select jsonb_object_agg(v.key, v.value #>> '{{}}') as texts
  from jsonb_each(r.new_values) as v) as n
order by r.operation = 'read', r.place
"""
APPLY = "select state, problem from agentdb.apply_change(%(change)s::bigint)"
WITHDRAW = "select state from agentdb.withdraw_change(%(change)s::bigint)"
REBASE = """
select change_id, state from agentdb.rebase_change(
  %(change)s::bigint, %(on_conflict)s::text, %(reason)s::text)
"""


def approve_change(
    dsn: str, change: int, *, digest: str, comment: str | None = None
) -> dict[str, Any]:
    """Approve a change as it was seen; return what became of it."""
    values = {"change": change, "digest": digest, "comment": comment}
    return _decide(dsn, APPROVE, values)


def reject_change(dsn: str, change: int, *, reason: str) -> dict[str, Any]:
    """Reject a change; return what became of it."""
    return _decide(dsn, REJECT, {"change": change, "reason": reason})


def rebase_change(
    dsn: str, change: int, *, on_conflict: str, reason: str | None = None
) -> dict[str, Any]:
    """Stage a change anew on today's rows; return its number and state."""
    values = {"change": change, "on_conflict": on_conflict, "reason": reason}
    return _decide(dsn, REBASE, values)


def apply_change(dsn: str, change: int) -> dict[str, Any]:
    """Apply an approved change; return what became of it."""
    return _decide(dsn, APPLY, {"change": change})


def withdraw_change(dsn: str, change: int) -> dict[str, Any]:
    """Take a change back that is not applied yet; return what became of it."""
    return _decide(dsn, WITHDRAW, {"change": change})


def _decide(dsn: str, statement: str, values: dict[str, object]) -> dict[str, Any]:
    with _connect(dsn) as connection:
        row = connection.execute(statement.encode(), values).fetchone()
        with committing():
            connection.commit()
        _tell(connection, values["change"])
    assert row is not None
    return row


def _tell(connection: psycopg.Connection[dict[str, Any]], change: object) -> None:
    """Wake who waits for a change, at once instead of at the runner's next look."""
    connection.autocommit = True
    wake(connection, CHANGES, str(change))


def _connect(dsn: str) -> psycopg.Connection[dict[str, Any]]:
    """Open a session that reads numbers within JSON as they are written."""
    connection = psycopg.connect(dsn, connect_timeout=10, row_factory=dict_row)
    set_json_loads(partial(json.loads, parse_float=Decimal), connection)
    return connection


@dataclass(frozen=True)
class Undone:
    """What came of an undo: its change, its first rows, and what is in the way."""

    change: int | None
    state: str
    row_count: int | None
    rows: list[dict[str, Any]]
    conflicts: list[dict[str, Any]]
    left_undone: list[str]


def undo(
    dsn: str,
    kind: str,
    key: int,
    *,
    on_conflict: str = "refuse",
    reason: str | None = None,
    only: list[dict[str, Any]] | None = None,
    keep: list[dict[str, Any]] | None = None,
    stays: bool = True,
    apply: bool = False,
) -> Undone:
    """Take back a row, transaction, run or change; or only show the difference."""
    values = {
        "key": key,
        "reason": reason,
        "on_conflict": on_conflict,
        "only": json.dumps(only) if only else None,
        "keep": json.dumps(keep) if keep else None,
    }
    bound = "%(key)s::text::xid8" if kind == "transaction" else "%(key)s::bigint"
    statement = UNDO.format(kind=kind, key=bound)
    with _connect(dsn) as connection:
        made = connection.execute(statement.encode(), values).fetchone()
        assert made is not None
        change, state, conflicts = made["change_id"], made["state"], made["conflicts"]
        shown = sql.SQL(CHANGE_ROWS).format(change=sql.Literal(change), limit=1000)
        found = connection.execute(shown).fetchall()
        if apply and state == "approved":
            ended = connection.execute(APPLY, {"change": change}).fetchone() or {}
            state = str(ended["state"])
            conflicts = (ended["problem"] or {}).get("conflicts")
        if not stays:
            connection.rollback()
        with committing():
            connection.commit()
        if stays and change:
            _tell(connection, change)
    return Undone(
        change, state, made["row_count"], found, conflicts or [],
        made["left_undone"] or [],
    )  # fmt: skip
