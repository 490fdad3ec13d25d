-- Alike: a change of thousands of rows in a few lines, so that a person can judge it.

create or replace function agentdb._alike (change bigint)
  returns table (
    target integer, operation text, column_name text, rows bigint, kinds bigint,
    old_value jsonb, new_value jsonb
  )
  language sql
  stable
begin atomic
  select
    r.audit_target_id, r.operation, k.name, count(*), count(distinct array[
      coalesce(r.expected -> k.name, 'null'), coalesce(r.new_values -> k.name, 'null')
    ]),
    (array_agg(r.expected -> k.name))[1], (array_agg(r.new_values -> k.name))[1]
  from agentdb.change_row as r
  cross join lateral jsonb_object_keys(
    coalesce(r.expected, '{}') || coalesce(r.new_values, '{}')) as k (name)
  where r.change_id = change
  group by r.audit_target_id, r.operation, k.name;
end;

comment on function agentdb._alike (bigint) is
  'Of each column that a change writes, how many rows and how many different pairs of '
  'an old and a new value there are.';


create or replace function agentdb.change_alike (change bigint)
  returns table (
    table_name text, operation text, rows bigint, column_name text, column_rows bigint,
    kinds bigint, old_value jsonb, new_value jsonb
  )
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._check_seen(change);
  return query
    select t.table_name, c.operation, c.rows, a.column_name, a.rows, a.kinds,
      case when a.kinds = 1 and a.rows = c.rows then a.old_value end,
      case when a.kinds = 1 and a.rows = c.rows then a.new_value end
    from (
      select r.audit_target_id, r.operation, count(*) as rows
      from agentdb.change_row as r
      where r.change_id = change_alike.change
      group by r.audit_target_id, r.operation
    ) as c
    join agentdb.audit_target as t on t.audit_target_id = c.audit_target_id
    left join agentdb._alike(change) as a
      on a.target = c.audit_target_id and a.operation = c.operation
    order by t.table_name, c.operation, a.kinds, a.column_name;
end;
$$;

comment on function agentdb.change_alike (bigint) is
  'All rows of a change by table, operation and column: the values where they are the '
  'same in all of them, else how many different there are; raises ZA006.';
