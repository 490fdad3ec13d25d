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


-- A table restored from a dump has another number, and so have its partitions; its
-- trigger knows which it is.
create or replace function agentdb._follow_restored ()
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target integer;
  v_table oid;
begin
  -- An UPDATE would wait for locks even where nothing is to do.
  for v_target, v_table in
    select distinct t.audit_target_id, g.tgrelid
    from agentdb.audit_target as t
    join pg_proc as p
      on p.pronamespace = 'agentdb'::regnamespace
      and p.proname = '_capture_' || t.audit_target_id
    join pg_trigger as g on g.tgfoid = p.oid and g.tgparentid = 0
    where t.unaudited_at is null and g.tgrelid <> t.table_oid
  loop
    update agentdb.audit_target as t
    set table_oid = v_table,
        in_place = null
    where t.audit_target_id = v_target;
    update agentdb.audit_layout as l
    set shape = (
      select jsonb_object_agg(e.key, e.value)
      from (
        select o.key, o.value from jsonb_each(l.shape) as o
        where o.key !~ '^(p[0-9]|children$)'
        union all
        select n.key, n.value from jsonb_each(agentdb._shape_now(v_target)) as n
        where n.key ~ '^(p[0-9]|children$)'
      ) as e)
    where l.audit_target_id = v_target;
  end loop;
end;
$$;

comment on function agentdb._follow_restored () is
  'Finds audited tables again that were restored from a dump under other numbers.';


create or replace function agentdb._maintain_audit ()
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target integer;
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
  for v_target in
    select t.audit_target_id from agentdb.audit_target as t
    where t.unaudited_at is null
    order by t.audit_target_id
  loop
    begin
      perform agentdb._note_shape(v_target), agentdb._look_at_record(v_target);
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
