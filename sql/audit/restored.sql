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

-- By name; what was renamed since the last look, by its order among the rest.
create or replace function agentdb._moved_places (target integer)
  returns table (was integer, place integer)
  language sql
  stable
begin atomic
  with former as (
    select substr(c.key, 2)::integer as place, c.value
    from jsonb_each((
      select l.shape from agentdb.audit_layout as l
      where l.audit_target_id = target
      order by l.audit_layout_id desc
      limit 1)) as c
    where c.key ~ '^c[0-9]'
  ),
  present as (
    select substr(c.key, 2)::integer as place, c.value
    from jsonb_each(agentdb._shape_now(target)) as c
    where c.key ~ '^c[0-9]'
  ),
  named as (
    select f.place as was, p.place
    from former as f
    join present as p on p.value -> 'name' = f.value -> 'name'
  )
  select n.was, n.place from named as n
  union all
  select f.place, p.place
  from (
    select o.*, row_number() over (order by o.place) as rank
    from former as o where o.place not in (select n.was from named as n)
  ) as f
  join (
    select o.*, row_number() over (order by o.place) as rank
    from present as o where o.place not in (select n.place from named as n)
  ) as p
    on p.rank = f.rank
    and p.value - 'name' - 'recorded' = f.value - 'name' - 'recorded';
end;

comment on function agentdb._moved_places (integer) is
  'Which place each column of a table had before it was restored, and has now: those '
  'that were dropped leave none.';


create or replace function agentdb._follow_shape (target integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_places jsonb := (
    select jsonb_object_agg(m.was, m.place) from agentdb._moved_places(target) as m);
begin
  update agentdb.audit_target as t
  set redacted_places = array(
        select coalesce((v_places ->> p.place::text)::integer, 0)
        from unnest(t.redacted_places) as p (place)),
      excluded_places = array(
        select coalesce((v_places ->> p.place::text)::integer, 0)
        from unnest(t.excluded_places) as p (place))
  where t.audit_target_id = target;
  update agentdb.audit_layout as l
  set shape = (
    select jsonb_object_agg(e.key, e.value)
    from (
      -- One that is gone stays known under a place that no column has.
      select case when o.key ~ '^c[0-9]' then concat('c',
          coalesce(v_places ->> substr(o.key, 2), '0' || substr(o.key, 2)))
          else o.key end as key,
        case when o.key = 'key' then (
          select coalesce(jsonb_agg(coalesce(v_places -> (k.place #>> '{}'), k.place)
            order by k.ordinality), '[]')
          from jsonb_array_elements(o.value) with ordinality as k (place, ordinality))
          else o.value end as value
      from jsonb_each(l.shape) as o where o.key !~ '^(p[0-9]|children$|places$)'
      union all
      select n.key, n.value from jsonb_each(agentdb._shape_now(target)) as n
      where n.key ~ '^(p[0-9]|children$|places$)'
    ) as e)
  where l.audit_target_id = target;
end;
$$;

comment on function agentdb._follow_shape (integer) is
  'Has the shapes of a table that was restored name its columns, partitions and '
  'children as they are numbered now.';


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
    perform agentdb._follow_shape(v_target);
  end loop;
end;
$$;

comment on function agentdb._follow_restored () is
  'Finds audited tables again that were restored from a dump under other numbers.';
