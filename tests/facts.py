"""What tests of kept facts say: a catalogue to change, what a statement becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from .changes import approve, latest

if TYPE_CHECKING:
    from .conftest import Connection

SETUP = """
create table public.log (what text);
grant insert, select on log to public;
create table public.child (id int primary key, invoice int references invoice);
insert into child values (1, 3);
create domain public.short as text;
alter table invoice add column code short;
create schema app;
create function app.quiet() returns trigger language plpgsql as
  $$ begin return new; end $$;
create trigger quiet before update on line
  for each row execute function app.quiet();
create function app.note() returns trigger security definer language plpgsql as
  $$ begin insert into public.log values ('x'); return null; end $$;
create function app.theirs() returns trigger language plpgsql as
  $$ begin return null; end $$;
create function app.fine(v text) returns boolean immutable language sql as 'select true';
create function app.word() returns text immutable language sql as $$select 'w'$$;
alter function app.theirs() owner to agent_b;
alter function app.fine(text) owner to agent_b;
alter function app.word() owner to agent_b;
grant usage on schema app to public;
"""
UPDATE = (
    "update agentdb_stage.invoice set note = coalesce(note, '') || 'n' where id = 1"
)
DELETE = "delete from agentdb_stage.invoice where id = %s"
INSERT = "insert into agentdb_stage.customer values (%s, 'new')"
TRIGGER = "create trigger noted after update on invoice for each row execute function"


def become(agent: Connection, db: Connection, reviewer: Connection, query: str) -> Any:
    """Return what a statement becomes: a refusal, or how its change ends."""
    try:
        agent.execute(query.encode())
    except psycopg.Error as error:
        return error.diag.sqlstate, error.diag.message_primary
    change = latest(db)
    ended = approve(reviewer, change["change_id"])
    return ended["state"], ended["effects"]
