-- What keeps the audit from working, whatever was done to its table since.

create or replace view agentdb.audit_fault as
  select t.audit_target_id, t.table_name, f.fault
  from agentdb.audit_target as t
  left join pg_class as c on c.oid = t.table_oid
  cross join lateral (
    select 'the table is gone' as fault where c.oid is null
    union all
    select 'its capture function is gone'
    where not exists (
      select from pg_proc as p
      where p.pronamespace = 'agentdb'::regnamespace
        and p.proname = '_capture_' || t.audit_target_id
    )
    union all
    select 'it is unlogged: a crash empties it, and no log says so'
    where c.relpersistence = 'u'
    union all
    select format('trigger %s writes before the audit does: give it a name that comes '
      'after 00_agentdb_audit', x.tgname)
    from agentdb._foreign_triggers(t.table_oid) as x
    where t.level = 'row' and (x.tgtype & 67) = 1 and x.tgname < '00_agentdb_audit'
    union all
    select 'it needs level row now: ' || n.why
    from agentdb._needs_rows(t.table_oid) as n (why)
    where t.level = 'statement' and n.why is not null
    union all
    select format('trigger %s on %s is %s', w.tgname, w.table_oid::regclass,
      case when g.oid is null then 'missing' when g.tgenabled <> 'A' then 'disabled'
        else 'replaced' end)
    from (
      select t.table_oid, n.tgname
      from unnest(case t.level when 'row' then array['00_agentdb_audit']
        else array['agentdb_audit_insert', 'agentdb_audit_update',
          'agentdb_audit_delete'] end) as n (tgname)
      where c.oid is not null
      union all
      select p.oid, x.tgname
      from agentdb._parts_of(t.table_oid) as p (oid)
      cross join (values ('00_agentdb_audit'), ('agentdb_audit_truncate')) as x (tgname)
      union all
      select t.table_oid, 'agentdb_audit_truncate' where c.oid is not null
    ) as w (table_oid, tgname)
    left join pg_trigger as g on g.tgrelid = w.table_oid and g.tgname = w.tgname
    left join pg_proc as p
      on p.oid = g.tgfoid and p.pronamespace = 'agentdb'::regnamespace
    where g.tgenabled is distinct from 'A'
      or g.tgqual is not null
      or g.tgattr <> ''
      or p.proname is null
      or p.proname not in ('_capture_' || t.audit_target_id, '_capture_truncate')
      or p.proname = '_capture_truncate'
        and g.tgargs <> convert_to(t.audit_target_id::text, 'UTF8') || '\x00'
  ) as f
  where t.unaudited_at is null
  union all
  -- Dropped and made again, or swapped: the application writes to another table.
  select t.audit_target_id, t.attached_name, format('%s is another table now, which is '
    'not audited', t.attached_name)
  from agentdb.audit_target as t
  -- By the parts of its name: a catalog has thousands of tables.
  cross join lateral parse_ident(t.attached_name) as w (part)
  join pg_namespace as n on n.nspname = w.part[1]::name
  join pg_class as c on c.relnamespace = n.oid and c.relname = w.part[2]::name
  where (t.unaudited_at is null or t.lost)
    and c.relkind in ('r', 'p')
    and c.oid <> t.table_oid
    and t.audit_target_id = (
      select max(o.audit_target_id) from agentdb.audit_target as o
      where o.attached_name = t.attached_name)
    and not exists (
      select from agentdb.audit_target as o
      where o.table_oid = c.oid and o.unaudited_at is null);

comment on view agentdb.audit_fault is
  'What keeps the audit from recording a table as it should; empty where all is well.';
comment on column agentdb.audit_fault.audit_target_id is
  'The attachment.';
comment on column agentdb.audit_fault.table_name is
  'The table.';
comment on column agentdb.audit_fault.fault is
  'What is wrong.';
