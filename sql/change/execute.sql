-- Executing what a change does: as one statement, in the order of its rows, or a part
-- after the other.

-- A unique value that goes from row to row is free for the next only in this order,
-- which no plan but this one keeps.
create or replace function agentdb._execute_in_order (change bigint, path text)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_seqscan = off
  set enable_bitmapscan = off
as $$
declare
  v_matched bigint;
begin
  perform set_config('search_path', path, true);
  execute agentdb._change_sql(change, true) into v_matched using change;
  return v_matched;
end;
$$;

comment on function agentdb._execute_in_order (bigint, text) is
  'Executes a change in the order of its rows; returns how many of them matched.';


-- What one statement could not do directly it shall not do here either, only because
-- its rows come in another order.
create or replace function agentdb._is_ordered (change bigint)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select from agentdb.change_row as r
    where r.change_id = change and r.operation = 'update'
    offset 1
  ) and exists (
    select
    from agentdb.change as k
    join agentdb.change_table as t on t.change_id = k.change_id
    cross join lateral (
      select array_agg(c.attname::text) as names
      from pg_index as x
      join pg_attribute as c on c.attrelid = x.indrelid and c.attnum = any (x.indkey)
      where x.indrelid = t.table_oid
        and (x.indisunique and x.indimmediate or x.indisexclusion)
    ) as u
    where k.change_id = change and k.kind = 'stage'
      and exists (
        select from agentdb.change_row as r
        where r.change_id = change and r.audit_target_id = t.audit_target_id
          and r.operation = 'update' and r.new_values ?| u.names
        offset 1)
  );
end;
$$;

comment on function agentdb._is_ordered (bigint) is
  'Whether the order of its rows decides if a staged change can be done.';


-- Foreign keys that are not deferrable are checked after each part.
create or replace function agentdb._execute_in_parts (change bigint, path text)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_part text;
  v_count bigint;
  v_matched bigint := 0;
begin
  perform set_config('search_path', path, true);
  for v_part in
    select p.part from agentdb._change_parts(change, false) as p order by p.place
  loop
    execute v_part using change;
    get diagnostics v_count = row_count;
    v_matched := v_matched + v_count;
  end loop;
  return v_matched;
end;
$$;

comment on function agentdb._execute_in_parts (bigint, text) is
  'Executes a change a part after the other; returns how many of its rows matched.';
