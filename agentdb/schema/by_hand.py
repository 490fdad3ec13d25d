"""Finds what somebody did to the schemas by hand that putting the release back keeps.

Each query returns lines; none returns any in a database that only releases have made.
"""

from __future__ import annotations

from sqlalchemy import Connection

from . import code as schema

# A later step would fail on these, and name no reason.
OWNERS = """
select format('%s belongs to %s', pg_describe_object(o.classid, o.oid, 0),
  o.owner::regrole)
from (
  select 'pg_namespace'::regclass as classid, n.oid, n.nspowner as owner,
    n.oid as namespace
  from pg_namespace as n
  union all
  select 'pg_class'::regclass, c.oid, c.relowner, c.relnamespace
  from pg_class as c where c.relkind in ('r', 'p', 'S', 'v', 'm', 'f')
  union all
  select 'pg_proc'::regclass, p.oid, p.proowner, p.pronamespace
  from pg_proc as p
  -- A function among ours is said to be none of ours.
  where p.prokind <> 'f' or p.pronamespace = 'agentdb_stage'::regnamespace
  union all
  select 'pg_type'::regclass, t.oid, t.typowner, t.typnamespace
  from pg_type as t where t.typrelid = 0 and t.typcategory <> 'A'
  union all
  select 'pg_operator'::regclass, x.oid, x.oprowner, x.oprnamespace
  from pg_operator as x
) as o
where o.namespace in ('agentdb'::regnamespace, 'agentdb_stage'::regnamespace)
  and o.owner not in ('agentdb_owner'::regrole, 'agentdb_capture'::regrole,
    'agentdb_applier'::regrole)
order by 1
"""

# Those of tables, views and functions are put back and compared.
GRANTS = """
with own as (
  select c.oid, c.relacl, c.relowner, array['SELECT'] as usual,
    array['agentdb_auditor'::regrole, 'agentdb_operator'::regrole] as whose
  from pg_class as c
  where c.relnamespace = 'agentdb'::regnamespace
    and c.relkind in ('r', 'p')
    and (c.relispartition or c.relname = 'alembic_version')
  union all
  select c.oid, c.relacl, c.relowner, array['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    array['agentdb_agent'::regrole, 'agentdb_operator'::regrole,
      'agentdb_reviewer'::regrole]
  from pg_class as c
  where c.relnamespace = 'agentdb_stage'::regnamespace
)
select distinct format('%s has %s on %s',
  case g.grantee when 0 then 'public' else g.grantee::regrole::text end,
  g.privilege_type, g.object)
from (
  select o.oid::regclass::text as object, x.*, o.relowner,
    x.privilege_type = any (o.usual) and x.grantee = any (o.whose)
      and not x.is_grantable as is_usual
  from own as o
  cross join lateral aclexplode(o.relacl) as x
  union all
  select format('column %s of %s', a.attname, o.oid::regclass), x.*, o.relowner, false
  from own as o
  join pg_attribute as a on a.attrelid = o.oid
  cross join lateral aclexplode(a.attacl) as x
) as g
where g.grantee <> g.relowner and not g.is_usual
union all
select format('default privileges of %s: %s', d.defaclrole::regrole, d.defaclacl)
from pg_default_acl as d
where d.defaclrole in ('agentdb_owner'::regrole, 'agentdb_capture'::regrole,
    'agentdb_applier'::regrole)
  or d.defaclnamespace in ('agentdb'::regnamespace, 'agentdb_stage'::regnamespace)
order by 1
"""

# What keeps rows from being written, seen or kept.
ADDED = """
with own as (
  select c.oid, c.relname, c.relkind, c.relispartition, c.relrowsecurity,
    c.relforcerowsecurity, c.relpersistence
  from pg_class as c
  where c.relnamespace = 'agentdb'::regnamespace and c.relkind in ('r', 'p')
)
select format('rule %s on %s is not part of agentdb', r.rulename, o.oid::regclass)
from own as o
join pg_rewrite as r on r.ev_class = o.oid
union all
select format('policy %s on %s is not part of agentdb', p.polname, o.oid::regclass)
from own as o
join pg_policy as p on p.polrelid = o.oid
union all
select format('row security of %s is not part of agentdb', o.oid::regclass)
from own as o
where o.relrowsecurity or o.relforcerowsecurity
union all
select format('%s is unlogged: a crash empties it', o.oid::regclass)
from own as o
where o.relpersistence <> 'p'
  and o.relname not in ('erasure_pass', 'fenced_write', 'refusal_count')
union all
select format('%s, a child of %s, is not part of agentdb', i.inhrelid::regclass,
  o.oid::regclass)
from own as o
join pg_inherits as i on i.inhparent = o.oid
left join own as c on c.oid = i.inhrelid
where o.relkind <> 'p' or c.oid is null
union all
select format('trigger %s on %s is disabled', t.tgname, o.oid::regclass)
from own as o
join pg_trigger as t on t.tgrelid = o.oid
left join pg_trigger as w on w.oid = t.tgparentid
-- One of the log itself is put back, and taken along.
where t.tgenabled in ('D', 'R') and (o.relispartition or t.tgisinternal)
  and w.tgenabled is distinct from t.tgenabled
union all
-- Alone of them it is not inherited.
select format('trigger agentdb_no_truncate on %s is missing', o.oid::regclass)
from own as o
where o.relispartition
  and not exists (
    select from pg_trigger as t
    where t.tgrelid = o.oid
      and t.tgfoid = to_regproc('agentdb._refuse_rewrite')
      and t.tgname = 'agentdb_no_truncate')
order by 1
"""


def strangers(connection: Connection) -> list[str]:
    """Return what belongs to somebody else: with these the release cannot be put back.

    Names come with their schema, whatever path the caller has set.
    """
    return _lines(connection, OWNERS)


def done(connection: Connection) -> list[str]:
    """Return the rights, rules, policies and triggers that no release has made so."""
    return [*_lines(connection, GRANTS), *_lines(connection, ADDED)]


def _lines(connection: Connection, query: str) -> list[str]:
    return [line for (line,) in schema.run(connection, query)]
