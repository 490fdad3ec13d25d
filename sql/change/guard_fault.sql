-- What keeps a guard from holding, whatever was done to its table since.

create or replace view agentdb.guard_fault as
  select g.table_name, f.fault
  from agentdb.guarded_table as g
  left join pg_class as c on c.oid = g.table_oid
  cross join lateral (
    select 'the table is gone' as fault where c.oid is null
    union all
    select 'it is not audited any more'
    where not exists (
      select from agentdb.audit_target as t
      where t.audit_target_id = g.audit_target_id and t.unaudited_at is null)
    union all
    select 'it has no primary key any more, by which rows of a change are found'
    from agentdb.audit_column as k
    where k.audit_target_id = g.audit_target_id
    having count(*) > 0 and count(k.key_place) = 0
    union all
    select format('it was guarded with column %I, which is not there any more', n.name)
    from (
      select unnest(g.columns || g.context)
      union
      select jsonb_array_elements_text(g.auto_approve -> 'columns')
    ) as n (name)
    cross join agentdb.audit_column as k
    where k.audit_target_id = g.audit_target_id
    group by n.name
    having bool_and(k.column_name <> n.name)
    union all
    select format('trigger %s on %s is %s', w.tgname, w.table_oid::regclass,
      case when t.oid is null then 'missing' else 'disabled or replaced' end)
    from (
      select p.relid as table_oid, n.tgname
      from (
        select c.oid as relid where c.oid is not null
        union
        select p.oid from agentdb._parts_of(c.oid) as p (oid)
      ) as p
      cross join unnest(array['00_agentdb_guard', '00_agentdb_guard_truncate',
        '00_agentdb_guard_role', '00_agentdb_guard_truncate_role']) as n (tgname)
    ) as w
    left join pg_trigger as t on t.tgrelid = w.table_oid and t.tgname = w.tgname
    where t.tgenabled is distinct from 'A'
      or case when w.tgname like '%role'
        then t.tgfoid <> 'agentdb._guard_role'::regproc
          or pg_get_triggerdef(t.oid) !~* 'when \(+current_user <> session_user\)'
        else t.tgfoid <> 'agentdb._guard'::regproc or t.tgqual is not null end
  ) as f;

comment on view agentdb.guard_fault is
  'What keeps a guard from holding or its changes from being applied; empty where all '
  'is well.';
comment on column agentdb.guard_fault.table_name is
  'The table.';
comment on column agentdb.guard_fault.fault is
  'What is wrong.';
