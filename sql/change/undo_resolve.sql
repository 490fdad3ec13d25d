-- An undo meets rows that others have changed since: it names them, leaves them as they
-- are (skip), or takes them back all the same (override).

create or replace function agentdb._drop_rows (change bigint, places integer[])
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from agentdb.change_row as r
  using agentdb.change as c
  where c.change_id = change
    and c.kind = 'undo'
    and c.state = 'open'
    and c.proposed_by = agentdb._person()
    and r.change_id = change
    and r.place = any (places);
end;
$$;

comment on function agentdb._drop_rows (bigint, integer[]) is
  'Leaves rows out of an undo that is being made.';


-- What is there now becomes what is expected; a row that is there is updated, not
-- inserted.
create or replace function agentdb._override_rows (change bigint, present jsonb)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.change_row as r
  set operation = case r.operation when 'insert' then 'update' else r.operation end,
      new_values = case r.operation when 'insert' then d.new_values
        else r.new_values end,
      expected = case r.operation when 'delete' then f.value -> 'present'
        else d.expected end,
      crossed_by = null
  from agentdb.change as c,
    jsonb_array_elements(present) as f,
    lateral (
      select jsonb_object_agg(v.key, v.value) as new_values,
        jsonb_object_agg(v.key, f.value -> 'present' -> v.key) as expected
      from agentdb.change_row as o
      cross join lateral jsonb_each(o.new_values) as v
      where o.change_id = change
        and o.place = (f.value ->> 'place')::integer
        and (o.operation = 'update'
          or v.value is distinct from f.value -> 'present' -> v.key)
    ) as d
  where c.change_id = change
    and c.kind = 'undo'
    and c.state = 'open'
    and c.proposed_by = agentdb._person()
    and r.change_id = change
    and r.place = (f.value ->> 'place')::integer
    and f.value -> 'present' <> 'null';
end;
$$;

comment on function agentdb._override_rows (bigint, jsonb) is
  'Takes rows back although somebody else changed them since.';


-- A row that is already as it should become is nobody's conflict.
create or replace function agentdb._settled (change bigint, found jsonb)
  returns integer[]
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(r.place), '{}')
  from jsonb_array_elements(found) as f
  join agentdb.change_row as r
    on r.change_id = change and r.place = (f.value ->> 'place')::integer
  where case r.operation
    when 'delete' then f.value -> 'present' = 'null'
    else f.value -> 'present' <> 'null' and not exists (
      select from jsonb_each(r.new_values) as v
      where agentdb._is_same(f.value -> 'present' -> v.key, v.value) is not true)
  end;
$$;

comment on function agentdb._settled (bigint, jsonb) is
  'The rows of an undo that are as they should become.';


-- Returns the conflicts that are left.
create or replace function agentdb._resolve (
  change bigint,
  on_conflict text,
  as_applier boolean
)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target integer;
  v_rows jsonb;
  v_settled integer[];
  v_left jsonb := '[]';
begin
  for v_target in
    select distinct r.audit_target_id from agentdb.change_row as r
    where r.change_id = change
  loop
    v_rows := agentdb._conflict_rows(change, v_target, null, as_applier);
    v_settled := agentdb._settled(change, v_rows);
    perform agentdb._drop_rows(change, v_settled);
    select coalesce(jsonb_agg(f), '[]') into v_rows
    from jsonb_array_elements(v_rows) as f
    where (f ->> 'place')::integer <> all (v_settled);
    if on_conflict = 'skip' then
      perform agentdb._drop_rows(change, array(
        select (f ->> 'place')::integer from jsonb_array_elements(v_rows) as f));
    end if;
    if on_conflict = 'override' then
      perform agentdb._override_rows(change, v_rows);
      select coalesce(jsonb_agg(f), '[]') into v_rows
      from jsonb_array_elements(v_rows) as f where f -> 'present' = 'null';
    end if;
    if on_conflict <> 'skip' then
      -- Nobody reads more of them.
      v_left := v_left || agentdb._conflicts_of(change, v_target,
        jsonb_path_query_array(v_rows, '$[0 to 999]'));
    end if;
  end loop;
  return v_left;
end;
$$;

comment on function agentdb._resolve (bigint, text, boolean) is
  'Settles the conflicts of an undo as asked and returns those that are left.';


create or replace function agentdb._finish_undo (change bigint, effects jsonb)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint := (
    select count(*) from agentdb.change_row as r where r.change_id = change);
begin
  if not exists (
    select from agentdb.change as c
    where c.change_id = change
      and c.kind = 'undo'
      and c.state = 'open'
      and c.proposed_by = agentdb._person()
  ) then
    perform agentdb._refuse_state(change, 'no undo that is being made', 'one');
  elsif v_count = 0 then
    perform agentdb._close_change(change, 'withdrawn');
  else
    perform agentdb._end_submit(change, v_count, effects, '{}');
  end if;
end;
$$;

comment on function agentdb._finish_undo (bigint, jsonb) is
  'Hands an undo to the reviewers; without guarded tables it needs none.';


create or replace function agentdb._is_crossed (change bigint)
  returns boolean
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from agentdb.change_row as r
    where r.change_id = change and r.crossed_by is not null);
$$;

comment on function agentdb._is_crossed (bigint) is
  'Whether somebody else wrote a row of an undo between two writes that it takes back.';


-- Rows of others that a cascade would take along are a conflict too, and those that it
-- would cut off.
create or replace function agentdb._is_wider (change bigint, effects jsonb)
  returns boolean
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  with named as materialized (
    select t.table_name, t.table_oid, r.operation, count(*) as count
    from agentdb.change_row as r
    join agentdb.audit_target as t on t.audit_target_id = r.audit_target_id
    where r.change_id = change
    group by 1, 2, 3
  ),
  -- Tables whose rows could be cut off.
  cut as materialized (
    select distinct k.conrelid
    from named as n
    join pg_constraint as k
      on k.confrelid = n.table_oid and k.contype = 'f' and k.confdeltype in ('n', 'd')
    where n.operation = 'delete'
  ),
  -- What moves to another partition is deleted and inserted.
  moved as materialized (
    select n.table_name as name, (effects ->> (n.table_name || ' inserted'))::bigint
      - coalesce(sum(n.count) filter (where n.operation = 'insert'), 0) as count
    from named as n
    join pg_class as c on c.oid = n.table_oid and c.relkind = 'p'
    group by n.table_name
  ),
  written (name, operation, count) as (
    select left(e.key, -8), 'delete', e.value::bigint - coalesce((
      select m.count from moved as m where m.name = left(e.key, -8)), 0)
    from jsonb_each_text(effects) as e
    where e.key like '% deleted'
    union all
    select c.table_name, 'update', (effects ->> (c.table_name || ' updated'))::bigint
    from (
      select agentdb._table_name(coalesce(pg_partition_root(k.conrelid), k.conrelid))
        as table_name
      from cut as k
      offset 0
    ) as c
  )
  select exists (
    select from written as w
    where w.count > coalesce((
      select sum(n.count) from named as n
      where n.table_name = w.name and n.operation = w.operation), 0)
  );
$$;

comment on function agentdb._is_wider (bigint, jsonb) is
  'Whether a change would delete rows that it does not name, or cut off those that '
  'refer to one that it deletes.';
