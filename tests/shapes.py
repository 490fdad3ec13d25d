"""What an installation looks like from outside, the same on every version."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from .agents import rows

if TYPE_CHECKING:
    from .conftest import Connection

SHAPES = """
select s.shape from (
select format(E'function agentdb.%s (%s)\\n  returns %s\\n  %s', p.proname,
    pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
    concat_ws(', ', l.lanname,
      case p.provolatile when 'i' then 'immutable' when 's' then 'stable' end,
      case p.proparallel when 's' then 'parallel safe' end,
      case when p.prosecdef then 'as ' || p.proowner::regrole end,
      (select string_agg(c.setting, ', ' order by c.setting)
        from unnest(p.proconfig) as c (setting)
        where c.setting <> 'search_path=pg_catalog, pg_temp'))) as shape
from pg_proc as p
join pg_language as l on l.oid = p.prolang
where p.pronamespace = 'agentdb'::regnamespace
union all
select format(E'view agentdb.%s%s\\n  %s', c.relname,
    ' with ' || array_to_string(c.reloptions, ', '), (
      select string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)),
        E'\\n  ' order by a.attnum)
      from pg_attribute as a where a.attrelid = c.oid and a.attnum > 0))
from pg_class as c
where c.relnamespace = 'agentdb'::regnamespace and c.relkind = 'v'
union all
select pg_get_triggerdef(t.oid) || case t.tgenabled when 'A' then ' always' else '' end
from pg_trigger as t
join pg_class as c on c.oid = t.tgrelid
where c.relnamespace = 'agentdb'::regnamespace
  and not c.relispartition
  and not t.tgisinternal
) as s
order by s.shape collate "C"
"""

RIGHTS = """
with given as (
  select a.grantee, a.privilege_type, p.proname as name
  from pg_proc as p cross join aclexplode(p.proacl) as a
  where p.pronamespace = 'agentdb'::regnamespace
    and a.grantee <> p.proowner
  union
  select a.grantee, a.privilege_type, c.relname
  from pg_class as c cross join aclexplode(c.relacl) as a
  where c.relnamespace = 'agentdb'::regnamespace
    and a.grantee <> c.relowner
    and not c.relispartition
  union
  select a.grantee, a.privilege_type, format('%s.%s', c.relname, t.attname)
  from pg_attribute as t
  join pg_class as c on c.oid = t.attrelid
  cross join aclexplode(t.attacl) as a
  where c.relnamespace = 'agentdb'::regnamespace
  union
  select a.grantee, a.privilege_type, 'schema ' || n.nspname
  from pg_namespace as n cross join aclexplode(n.nspacl) as a
  where n.nspname in ('agentdb', 'agentdb_stage') and a.grantee <> n.nspowner
)
select case when g.grantee = 0 then 'public' else g.grantee::regrole::text end as grantee,
  lower(g.privilege_type) as privilege, g.name
from given as g
order by grantee, privilege, g.name like '\\_%', g.name collate "C"
"""


def shapes(db: Connection) -> str:
    """Return functions, views and triggers without their bodies."""
    return "".join(f"{each['shape'].rstrip()}\n\n" for each in rows(db, SHAPES))


def rights(db: Connection) -> str:
    """Return who may do what with which object."""
    given: dict[str, list[str]] = {}
    for each in rows(db, RIGHTS):
        said = f"{each['grantee']} may {each['privilege']}"
        given.setdefault(said, []).append(each["name"])
    return "\n".join(
        f"{said}:\n{textwrap.indent(textwrap.fill(', '.join(names), 84), '  ')}\n"
        for said, names in given.items()
    )
