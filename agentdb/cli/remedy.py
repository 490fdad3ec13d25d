"""What to do about an error of PostgreSQL's own, after a look at the server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from typing_extensions import LiteralString

# Who may do what: the group that a command wants, where it is not the operators'.
AUDITOR = (
    "alerts audit change changes check claims costs digest doctor locks outbox "
    "questions report runs seals silences status timeline why"
)
GROUPS = {
    **{command: ["agentdb_auditor"] for command in AUDITOR.split()},
    # With other thresholds the past wants the right to change them.
    "rules": ["agentdb_auditor", "agentdb_operator"],
    "intake problems": ["agentdb_auditor"],
    "intake tokens": ["agentdb_auditor"],
    "serve": ["agentdb_intake"],
    "web link": ["agentdb_auditor"],
    "web people": ["agentdb_auditor"],
    "outbox drop": ["agentdb_operator"],
    "outbox retry": ["agentdb_operator"],
    "approve": ["agentdb_reviewer"],
    "reject": ["agentdb_reviewer"],
    "change apply": ["agentdb_operator"],
    "change rebase": ["agentdb_reviewer"],
    "change withdraw": ["agentdb_operator"],
}
OWNERS = ("install", "uninstall", "up")
HINTS = {
    "2BP01": "Drop what depends on agentdb first, then uninstall again.",
    "40001": "Others were at work on the same rows: try again.",
    "40P01": "Others were at work on the same rows: try again.",
    "53300": "End sessions that nobody needs, or raise max_connections.",
    "55P03": "Somebody holds a lock on it: try again, or see pg_locks for who.",
    "22007": "Write a length of time as '2h', '30 min' or '1 day', a moment as "
    "'2026-11-29 05:00Z'.",
    "57014": "It took too long: ask for less with --limit, or run in psql what --sql "
    "prints.",
}
UNREACHABLE = (
    "Is the server running, and are host, user and database right?  They come from "
    "--dsn, AGENTDB_DSN, or PGHOST, PGUSER and PGDATABASE."
)
POOLER = (
    "A plain connection works: a pooler such as PgBouncer refuses the settings of this "
    "one.  Connect to PostgreSQL itself."
)
LOST = "The connection broke off: try again, and see the server's log."
NOT_INSTALLED = "Install the pack first: agentdb install"
DIFFERENT = (
    "Is the pack here of this release?  agentdb install --check names what differs, "
    "agentdb install upgrades it."
)
STANDBY = (
    "This is a standby, which cannot write: connect to the primary, or add "
    "target_session_attrs=read-write with both hosts to the connection string."
)
READ_ONLY = (
    "Sessions here start read-only: alter role {role} in database {database} set "
    "default_transaction_read_only = off"
)
# What a role may not touch, as PostgreSQL names it.
NAMED = re.compile(r"^permission denied for (?:table|view|sequence|function) (.+)$")
MISSING = ("3F000", "42P01", "42883", "42703")
LOOK: LiteralString = """
select to_regnamespace('agentdb') is not null as installed,
  %(named)s::text is null
    or to_regclass(format('agentdb.%%I', %(named)s::text)) is not null
    or to_regproc(format('agentdb.%%I', %(named)s::text)) is not null as ours,
  pg_is_in_recovery() as standby, quote_ident(session_user) as role,
  quote_ident(current_database()) as database,
  exists (
    select from pg_roles as g
    where g.rolname = 'agentdb_agent' and pg_has_role(session_user, g.oid, 'member')
  ) as is_agent,
  (
    select case
        when not pg_has_role(session_user, g.oid, 'member')
          then format('grant %%I to %%I', g.rolname, session_user)
        when current_setting('server_version_num')::int >= 160000
          then format('grant %%I to %%I with inherit true', g.rolname, session_user)
        else format('alter role %%I inherit', session_user)
      end
    from pg_roles as g
    where g.rolname = any (%(wanted)s::text[])
      and not pg_has_role(session_user, g.oid, 'usage')
    order by array_position(%(wanted)s::text[], g.rolname::text)
    limit 1
  ) as right,
  (
    select concat_ws('; ',
      case when not r.rolcreaterole
        then format('alter role %%I createrole', r.rolname) end,
      case when not has_database_privilege(r.oid, d.oid, 'create')
        then format('alter database %%I owner to %%I', d.datname, r.rolname) end)
    from pg_roles as r, pg_database as d
    where r.rolname = session_user and d.datname = current_database()
  ) as ownership
"""


def remedy(error: psycopg.Error, about: Mapping[str, Any]) -> str | None:
    """Return what to type, as exactly as it can be known."""
    state = error.sqlstate
    if state in HINTS:
        return HINTS[state]
    if state is None and not isinstance(error, psycopg.OperationalError):
        return None
    named = NAMED.search(error.diag.message_primary or "")
    found = _look(about, named and named[1])
    if state is None:
        return UNREACHABLE if found is None else _broken(error)
    if found is None:
        return None
    if not found["installed"] and about.get("command") not in ("install", "up"):
        return NOT_INSTALLED
    if state in MISSING:
        return DIFFERENT
    if state == "25006":
        return STANDBY if found["standby"] else READ_ONLY.format(**found)
    if state == "42501" and error.diag.message_hint:
        # The pack refuses what PostgreSQL would not, and says what to do.
        return None
    if state == "42501" and named and not found["ours"]:
        return f"Ask the owner of {named[1]} for the right."
    return _rights(found, about) if state == "42501" else None


def _broken(error: psycopg.Error) -> str:
    """A connection that could not be made although one can, or that was lost."""
    return LOST if error.pgconn is None else POOLER


def _rights(found: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    if about.get("command") in OWNERS:
        return (
            f"As a superuser: {found['ownership']}"
            if found["ownership"]
            else "Connect as the role that installed it, or as a superuser."
        )
    if found["is_agent"]:
        return f"{found['role']} is the role of an agent: connect as a person's."
    if found["right"]:
        return f"As a superuser or the owner of the pack: {found['right']}"
    return "Ask the owner of what is named for the right."


def _look(about: Mapping[str, Any], named: str | None) -> Mapping[str, Any] | None:
    """Return what the server says of itself and of us; None if it does not answer."""
    command = str(about.get("command", ""))
    first = command.partition(" ")[0]
    wanted = GROUPS.get(command) or GROUPS.get(first) or ["agentdb_operator"]
    try:
        with psycopg.connect(
            about.get("dsn") or "",
            connect_timeout=5,
            autocommit=True,
            row_factory=dict_row,
        ) as connection:
            values = {"wanted": wanted, "named": named}
            return connection.execute(LOOK, values).fetchone()
    except psycopg.Error:
        return None
