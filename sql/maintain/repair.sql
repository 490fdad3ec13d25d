-- Protections that are not whole are put in place again, with the rights of whoever
-- calls.  What somebody disabled by name stays as it is: that is said, not overruled.

create or replace view agentdb.repairable as
  -- Each is asked once, not once a table.
  with broken (what, audit_target_id, table_name) as materialized (
    select 'audit', f.audit_target_id, f.table_name from agentdb.audit_fault as f
    where f.fault ~ '^(trigger .* is |it needs level row|its capture function)'
    union
    select 'guard', null, f.table_name from agentdb.guard_fault as f
    where f.fault ~ '^trigger '
    union
    select 'fence', null, f.table_name from agentdb.fence_fault as f
    where f.fault ~ '^trigger '
  )
  select w.what, w.table_oid, w.table_name, w.repair, w.call
  from (
    select 'audit' as what, t.table_oid, t.table_name,
      format('select * from agentdb.audit_table(%L, %L, %L, %L, %L)',
        t.table_oid::regclass, t.excluded, t.redacted,
        case t.level when 'row' then 'row' end, t.refuse_blast) as repair,
      format('select * from agentdb.audit_table(%L);', t.table_name) as call
    from agentdb.audit_target as t
    join pg_class as c on c.oid = t.table_oid and c.relpersistence = 'p'
    where t.unaudited_at is null
      and t.audit_target_id in (
        select b.audit_target_id from broken as b where b.what = 'audit')
    union all
    select 'guard', g.table_oid, g.table_name,
      format('select agentdb._place_guard(%L, %L, %L)', g.table_oid::regclass,
        g.everybody, g.auto_approve ->> 'condition'),
      format('select * from agentdb.guard_table(%L);', g.table_name)
    from agentdb.guarded_table as g
    join pg_class as c on c.oid = g.table_oid
    where g.table_name in (
      select b.table_name from broken as b where b.what = 'guard')
    union all
    select 'fence', n.table_oid, n.table_name,
      format('select * from agentdb.fence_table(%L, %L)',
        n.table_oid::regclass, n.lock_name),
      format('select * from agentdb.fence_table(%L, %L);', n.table_name, n.lock_name)
    from agentdb.fence_target as n
    join pg_class as c on c.oid = n.table_oid
    where n.table_name in (
      select b.table_name from broken as b where b.what = 'fence')
    offset 0
  ) as w
  where not exists (
    select from pg_trigger as g
    join pg_proc as p on p.oid = g.tgfoid
    where p.pronamespace = 'agentdb'::regnamespace
      and g.tgenabled = 'D'
      and (g.tgrelid = w.table_oid
        or g.tgrelid in (
          select r.oid from agentdb._parts_of(w.table_oid) as r (oid))));

comment on view agentdb.repairable is
  'Audits, guards and fences that lack a trigger, with the call that puts it in place.';
comment on column agentdb.repairable.what is
  'audit, guard or fence.';
comment on column agentdb.repairable.table_oid is
  'The number of the table.';
comment on column agentdb.repairable.table_name is
  'The table.';
comment on column agentdb.repairable.repair is
  'What maintain_tables() calls where it is called by the owner of the table.';
comment on column agentdb.repairable.call is
  'What an owner of the table can call.';


create or replace function agentdb._repair_tables ()
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_broken record;
begin
  for v_broken in
    select r.what, r.table_oid::regclass as relation, r.table_name, r.repair
    from agentdb.repairable as r
    join pg_class as c on c.oid = r.table_oid
    where pg_has_role(current_user, c.relowner, 'usage')
      and pg_has_role(session_user, c.relowner, 'member')
      and not agentdb._is_agent()
    order by r.what, r.table_oid
  loop
    object := v_broken.table_name;
    begin
      -- Not behind a queue of readers: they would wait as long.
      execute format('lock table %s in access exclusive mode', v_broken.relation);
      execute v_broken.repair;
      action := v_broken.what || ' put in place again';
    exception when others then
      action := format('%s not put in place again: %s', v_broken.what, sqlerrm);
    end;
    return next;
  end loop;
end;
$$;

comment on function agentdb._repair_tables () is
  'Puts the protections of tables in place again that lack a trigger, where the caller '
  'owns the table.';
