-- Tables that came back from a dump.

create or replace function agentdb._is_elsewhere (target integer, table_oid oid)
  returns boolean
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select t.table_oid <> _is_elsewhere.table_oid
    and not exists (
      select from pg_partition_ancestors(_is_elsewhere.table_oid) as a
      where a.relid = t.table_oid)
  from agentdb.audit_target as t
  where t.audit_target_id = target;
$$;

comment on function agentdb._is_elsewhere (integer, oid) is
  'Whether a table with the trigger of an attachment is not the one that it knows.';


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
  perform agentdb._draw_epoch();
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
