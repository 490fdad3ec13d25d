-- Keeping the capture functions in step with their tables.

create or replace function agentdb._table_name (table_oid oid)
  returns text
  language sql
  stable
  return (
    select format('%I.%I', n.nspname, c.relname)
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = table_oid
  );

comment on function agentdb._table_name (oid) is
  'The name of a table with its schema, quoted where it must be.';


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
begin
  -- A table restored from a dump has another number; its trigger knows which it is.
  update agentdb.audit_target as t
  set table_oid = g.tgrelid
  from pg_trigger as g
  join pg_proc as p on p.oid = g.tgfoid and p.pronamespace = 'agentdb'::regnamespace
  where p.proname = '_capture_' || t.audit_target_id
    and t.unaudited_at is null
    and g.tgparentid = 0
    and g.tgrelid <> t.table_oid;
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
  perform agentdb._note_shape(t.audit_target_id),
    agentdb._look_at_record(t.audit_target_id)
  from agentdb.audit_target as t
  where t.unaudited_at is null;
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
