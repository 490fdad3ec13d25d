-- Keeping the capture functions in step with their tables.

create or replace function agentdb._forget_target (target integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.audit_target as t
  set unaudited_at = clock_timestamp(),
      lost = not exists (select from pg_class as c where c.oid = t.table_oid)
  where t.audit_target_id = target;
  perform agentdb._lend_capture(target, null);
end;
$$;

comment on function agentdb._forget_target (integer) is
  'Ends an attachment and drops its capture function.';


create or replace function agentdb._maintain_audit ()
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target integer;
  v_suspect integer[];
begin
  perform agentdb._follow_restored();
  for v_target, object, action in
    select t.audit_target_id, t.table_name,
      case when c.oid is null then 'unaudited (dropped)' else 'regenerated' end
    from agentdb.audit_target as t
    left join pg_class as c on c.oid = t.table_oid
    where t.unaudited_at is null
      and (c.oid is null or t.layout is distinct from agentdb._layout_now(t.table_oid)
        or t.table_name <> agentdb._table_name(t.table_oid))
    order by t.audit_target_id
  loop
    begin
      if action = 'regenerated' then
        update agentdb.audit_target as t
        set table_name = agentdb._table_name(t.table_oid)
        where t.audit_target_id = v_target;
        perform agentdb._generate_capture(v_target);
      else
        perform agentdb._forget_target(v_target);
      end if;
    exception when others then
      action := format('not %s: %s', action, sqlerrm);
    end;
    return next;
  end loop;
  v_suspect := array(
    select f.audit_target_id from agentdb.audit_fault as f
    union
    select f.audit_target_id from agentdb.record_fault as f where f.ended_at is null);
  for v_target in
    select t.audit_target_id from agentdb.audit_target as t
    where t.unaudited_at is null
    order by t.audit_target_id
  loop
    begin
      perform agentdb._note_shape(v_target);
      -- What is as it was is not asked for its faults, each of which costs a look.
      update agentdb.audit_target as t
      set in_place_at = clock_timestamp()
      where t.audit_target_id = v_target
        and v_target <> all (v_suspect)
        and t.in_place = agentdb._in_place_now(v_target);
      if not found then
        perform agentdb._look_at_record(v_target);
      end if;
    exception when lock_not_available then
      -- A table that somebody holds is looked at the next time.
      null;
    end;
  end loop;
end;
$$;

comment on function agentdb._maintain_audit () is
  'Adapts the capture functions to tables that were altered, and forgets tables that '
  'were dropped.';


-- A new generator means new functions.
do $$
declare
  v_target integer;
begin
  perform agentdb._follow_restored();
  for v_target in
    select t.audit_target_id
    from agentdb.audit_target as t
    join pg_class as c on c.oid = t.table_oid
    where t.unaudited_at is null
    order by t.audit_target_id
  loop
    perform agentdb._generate_capture(v_target);
  end loop;
end;
$$;
