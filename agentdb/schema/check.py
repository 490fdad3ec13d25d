"""Compares an installation with the release, object by object."""

from __future__ import annotations

from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from . import by_hand
from . import code as schema

CODE = """
select 'function ' || p.oid::regprocedure as name,
       pg_get_functiondef(p.oid) || p.proowner::regrole
         || coalesce(p.proacl::text, '')
         || coalesce(obj_description(p.oid, 'pg_proc'), '') as definition
from pg_proc as p
where p.pronamespace = 'agentdb'::regnamespace
union all
select 'view ' || c.oid::regclass,
       pg_get_viewdef(c.oid) || coalesce(c.reloptions::text, '')
         || c.relowner::regrole || coalesce(c.relacl::text, '')
         || coalesce((
           select string_agg(a.attname || a.attacl::text, ' ' order by a.attnum)
           from pg_attribute as a where a.attrelid = c.oid), '')
         || coalesce(obj_description(c.oid, 'pg_class'), '')
from pg_class as c
where c.relnamespace = 'agentdb'::regnamespace and c.relkind = 'v'
union all
select format('trigger %s on %s', t.tgname, t.tgrelid::regclass),
       pg_get_triggerdef(t.oid) || t.tgenabled::text
from pg_trigger as t
join pg_class as c on c.oid = t.tgrelid
where c.relnamespace = 'agentdb'::regnamespace
  and not t.tgisinternal
  and not c.relispartition
union all
select 'grants on ' || c.oid::regclass,
       c.relowner::regrole || coalesce(c.relacl::text, '')
         || coalesce((
           select string_agg(a.attname || a.attacl::text, ' ' order by a.attnum)
           from pg_attribute as a where a.attrelid = c.oid), '')
from pg_class as c
where c.relnamespace = 'agentdb'::regnamespace
  and c.relkind in ('r', 'p', 'S')
  and not c.relispartition
  and c.relname <> 'alembic_version'
union all
select 'grants on schema ' || n.nspname,
       n.nspowner::regrole || coalesce(n.nspacl::text, '')
from pg_namespace as n
where n.nspname in ('agentdb', 'agentdb_stage')
"""

# The release grants again what it grants: what is left over was somebody's own idea.
# What an attached table has is granted when it is attached.  Its own roles go on
# finding the schema while it is put in place.
REVOKE = """
do $$
declare
  v_owner regrole;
  v_grantee text;
  v_object text;
begin
  for v_owner, v_grantee, v_object in
    select distinct o.owner::regrole,
      case g.grantee when 0 then 'public' else g.grantee::regrole::text end, o.object
    from (
      select p.proowner, p.proacl, 'function ' || p.oid::regprocedure
      from pg_proc as p
      where p.pronamespace = 'agentdb'::regnamespace
        and p.proname !~ '^_[a-z]+_[0-9]+$'
      union all
      select c.relowner, c.relacl,
        case c.relkind when 'S' then 'sequence ' else 'table ' end || c.oid::regclass
      from pg_class as c
      where c.relnamespace = 'agentdb'::regnamespace
        and c.relkind in ('r', 'p', 'v', 'S')
        and not c.relispartition
        and c.relname <> 'alembic_version'
      union all
      -- Whoever loses the table loses its columns.
      select c.relowner, a.attacl, 'table ' || c.oid::regclass
      from pg_class as c
      join pg_attribute as a on a.attrelid = c.oid
      where c.relnamespace = 'agentdb'::regnamespace
        and c.relkind in ('r', 'p', 'v')
        and not c.relispartition
        and c.relname <> 'alembic_version'
      union all
      select n.nspowner, n.nspacl, 'schema ' || quote_ident(n.nspname)
      from pg_namespace as n
      where n.nspname in ('agentdb', 'agentdb_stage')
    ) as o (owner, acl, object)
    cross join aclexplode(o.acl) as g
    where g.grantee <> o.owner
      and not (o.object like 'schema %' and g.grantee in (
        'agentdb_owner'::regrole, 'agentdb_capture'::regrole,
        'agentdb_applier'::regrole))
  loop
    execute format('set local role %s', v_owner);
    execute format('revoke all on %s from %s cascade', v_object, v_grantee);
  end loop;
  set local role agentdb_owner;
end;
$$;
"""

# Read the same by every supported version, unlike the definitions that pg_dump prints:
# version 18 names NOT NULL constraints, version 17 sequences of partitions.
TABLES = """
with ours as (
  select c.oid, c.relname
  from pg_class as c
  where c.relnamespace = 'agentdb'::regnamespace
    -- Composite types, too: what functions return.
    and c.relkind in ('r', 'p', 'c')
    and not c.relispartition
    and c.relname <> 'alembic_version'
)
select format('column %s.%s %s%s%s%s', o.relname, a.attname,
         format_type(a.atttypid, a.atttypmod),
         case when a.attnotnull then ' not null' else '' end,
         case a.attidentity when 'a' then ' identity' else '' end,
         ' default ' || pg_get_expr(d.adbin, d.adrelid))
from ours as o
join pg_attribute as a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef as d on d.adrelid = o.oid and d.adnum = a.attnum
union all
select format('constraint %s.%s %s', o.relname, k.conname,
         regexp_replace(pg_get_constraintdef(k.oid), '[[:space:]]+', ' ', 'g'))
from ours as o
join pg_constraint as k on k.conrelid = o.oid and k.contype in ('c', 'f', 'p', 'u')
union all
select format('index %s', pg_get_indexdef(i.indexrelid))
from ours as o
join pg_index as i on i.indrelid = o.oid
order by 1
"""


ATTACHED = """
select audit_target_id from agentdb.audit_target where unaudited_at is null
union select audit_target_id from agentdb.guarded_table
"""
PLANNED = """
select function_name from agentdb.change_statement where function_name is not null
"""
ALTERED = "select audit_target_id from agentdb.altered_table"


def differences(connection: Connection) -> list[str]:
    """Return what differs between a database and this release.

    The code is put in place and the caller rolls it back, so that PostgreSQL
    itself says whether anything would change.
    """
    if schema.run(connection, "select to_regnamespace('agentdb')").scalar() is None:
        return ["agentdb is not installed"]
    schema.run(connection, schema.frame("before"))
    revision = _revision(connection)
    head = ScriptDirectory.from_config(schema.config()).get_current_head()
    if revision != head:
        return [f"revision {revision}, expected {head}"]
    if strangers := by_hand.strangers(connection):
        return strangers
    done = by_hand.done(connection)
    before = _fingerprint(connection)
    known = _exists(connection, "agentdb.altered_table")
    outdated = _generated(connection, ALTERED) if known else set()
    schema.run(connection, REVOKE)
    schema.run(connection, schema.code())
    faults = [*done, *_audit_faults(connection)]
    after = _fingerprint(connection)
    foreign = _foreign(after, _generated(connection) | _planned(connection))
    for name in foreign:
        del after[name]
    # Made for the former shape of their tables, which record by their general form.
    before = {n: d for n, d in before.items() if _bare(n) not in outdated}
    after = {n: d for n, d in after.items() if _bare(n) not in outdated}
    return [
        *_edited(before, after),
        *(f"{name} is not part of agentdb" for name in foreign),
        *_changed_tables(connection),
        *faults,
    ]


def _generated(connection: Connection, query: str = ATTACHED) -> set[str]:
    """Return the functions that audited tables have, which no file creates."""
    targets = [number for (number,) in schema.run(connection, query)]
    return {
        f"agentdb._{kind}_{number}"
        for number in targets
        for kind in ("capture", "propose")
    }


def _planned(connection: Connection) -> set[str]:
    """Return the functions that statements of changes have."""
    return {f"agentdb.{name}" for (name,) in schema.run(connection, PLANNED)}


def _exists(connection: Connection, view: str) -> bool:
    known = f"select to_regclass('{view}')"
    return schema.run(connection, known).scalar() is not None


def _audit_faults(connection: Connection) -> list[str]:
    """Return what keeps the audit or the guard of a table from working."""
    if not _exists(connection, "agentdb.fence_fault"):
        return []
    query = """
      select 'audit of ' || table_name || ': ' || fault from agentdb.audit_fault
      union all
      select 'guard of ' || table_name || ': ' || fault from agentdb.guard_fault
      union all
      select 'fence of ' || table_name || ': ' || fault from agentdb.fence_fault
      order by 1
    """
    return [line for (line,) in schema.run(connection, query)]


def tables(connection: Connection) -> list[str]:
    """Return the columns, constraints and indexes of the tables, a line each."""
    connection.exec_driver_sql("set local search_path = pg_catalog, pg_temp")
    return [line for (line,) in schema.run(connection, TABLES)]


def _revision(connection: Connection) -> object:
    query = "select version_num from agentdb.alembic_version"
    return connection.exec_driver_sql(query).scalar()


def _fingerprint(connection: Connection) -> dict[str, str]:
    connection.exec_driver_sql("set local search_path = pg_catalog, pg_temp")
    found = schema.run(connection, CODE).mappings()
    return {row["name"]: row["definition"] for row in found}


def _edited(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return what had to be put right, and how it was wrong."""
    missing = [f"{name} is missing" for name in after.keys() - before.keys()]
    changed = [
        f"{name} was changed"
        for name in before.keys() & after.keys()
        if before[name] != after[name]
    ]
    return sorted(missing + changed)


def _foreign(found: dict[str, str], generated: set[str]) -> list[str]:
    """Return functions, views and triggers that neither sql/ nor the audit creates."""
    ours = generated | {
        f"trigger {trigger} on {table}" if trigger else name
        for _, name, _, trigger, table in schema.CREATED.findall(schema.code())
    }
    return sorted(
        name
        for name in found
        if not name.startswith("grants on ") and _bare(name) not in ours
    )


def _bare(name: str) -> str:
    """Return a fingerprint's name as sql/ writes it."""
    if name.startswith("trigger "):
        return name
    return name.split(" ", 1)[1].split("(")[0]


def _changed_tables(connection: Connection) -> list[str]:
    expected = (
        (schema.bundled("alembic") / "tables.txt").read_text("utf-8").splitlines()
    )
    found = tables(connection)
    return [
        *(f"missing: {line}" for line in expected if line not in found),
        *(f"unexpected: {line}" for line in found if line not in expected),
    ]
