-- Conflicts: which row, which column, what was expected, what is there now, and who
-- wrote that in which run.

create or replace function agentdb._current_sql (change bigint, target integer)
  returns text
  language sql
  stable
  return format(
    $current$
    select i.place, i.operation, i.row_key, c.present,
      case
        when i.operation = 'insert' and c.present is not null and not exists (
          -- Unless it goes by the same change.
          select from agentdb.change_row as o
          where o.change_id = i.change_id and o.audit_target_id = i.audit_target_id
            and o.row_key = i.row_key
            and (o.operation = 'delete' or o.shown_key is not null))
          then 'exists already'
        when i.operation <> 'insert' and c.present is null then 'is gone'
        when i.operation <> 'insert' and exists (
          select from jsonb_each(i.expected) as e
          where agentdb._is_same(c.present -> e.key, e.value) is not true)
          then 'was changed'
        when i.operation = 'update' and %6$L::boolean and exists (
          select from jsonb_each(i.seen) as e
          where c.present ? e.key
            and agentdb._is_same(c.present -> e.key, e.value) is not true)
          then 'was changed'
        when i.crossed_by is not null then 'was changed in between'
        when i.shown_key is not null and not exists (
            select from agentdb.change_row as o
            where o.change_id = i.change_id and o.audit_target_id = i.audit_target_id
              and o.row_key = i.shown_key and o.operation in ('update', 'delete'))
          and exists (select from %4$s as t where %7$s)
          then 'takes a key that is there'
      end as conflict
    from agentdb.change_row as i
    left join lateral (
      select %3$s as present from %4$s as t where %5$s) as c on true
    where i.change_id = %1$s and i.audit_target_id = %2$s
    order by i.place$current$,
    change, target,
    agentdb._object_sql(array(
      select format('jsonb_build_object(%L, %s)', c.column_name::text,
        agentdb._value_sql('t', c.column_name, c.form, false))
      from agentdb.change_column as c
      where c.audit_target_id = target and not c.hidden and not c.generated
      order by c.place)),
    (
      select agentdb._table_name(t.table_oid)
      from agentdb.audit_target as t
      where t.audit_target_id = target
    ),
    agentdb._key_match_sql(target, 'i.row_key'),
    (
      select k.kind = 'stage' and k.strict from agentdb.change as k
      where k.change_id = change
    ),
    agentdb._key_match_sql(target, 'i.shown_key')
  );

comment on function agentdb._current_sql (bigint, integer) is
  'SQL text: the rows of a change in one table, as they are now and what is wrong.';


create or replace function agentdb._read_rows (statement text, most integer)
  returns table (
    place integer, operation text, row_key jsonb, present jsonb, conflict text
  )
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set extra_float_digits = 1
  set "TimeZone" = 'UTC'
  set "DateStyle" = 'ISO, YMD'
  set "IntervalStyle" = 'postgres'
  set bytea_output = 'hex'
  set lc_monetary = 'C'
as $$
begin
  return query execute format(
    'select * from (%s) as r where r.conflict is not null limit %s', statement,
    coalesce(most::text, 'all'));
end;
$$;

comment on function agentdb._read_rows (text, integer) is
  'The conflicts that a statement of _current_sql() finds, with the rights of the '
  'caller.';


grant create on schema agentdb to agentdb_applier;
grant usage on schema agentdb to agentdb_applier;
set local role agentdb_applier;

create or replace function agentdb._read_as_applier (statement text, most integer)
  returns table (
    place integer, operation text, row_key jsonb, present jsonb, conflict text
  )
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query select * from agentdb._read_rows(statement, most);
end;
$$;

comment on function agentdb._read_as_applier (text, integer) is
  'The same as agentdb_applier, which may read guarded tables.';

revoke all on function agentdb._read_as_applier from public;
grant execute on function agentdb._read_as_applier to agentdb_owner;

set local role agentdb_owner;
revoke create on schema agentdb from agentdb_applier;


-- A write between two of those that an undo takes back, and what it wrote.
create or replace function agentdb._crossing (record bigint)
  returns table (columns jsonb, by jsonb)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select (
      select jsonb_object_agg(n.key, jsonb_build_object(
        'expected', l.old_values -> n.key, 'current', n.value))
      from jsonb_each(l.new_values) as n
      where n.value is distinct from l.old_values -> n.key),
    jsonb_build_object('role', l.session_role, 'agent', a.agent_name,
      'run', l.run_id, 'change', l.change_id, 'at', l.recorded_at,
      'audit', l.audit_log_id)
  from agentdb.audit_log as l
  left join agentdb.agent as a on a.agent_id = l.agent_id
  where l.audit_log_id = record;
$$;

comment on function agentdb._crossing (bigint) is
  'Who wrote a record of the audit, and what it changed.';


-- The last write of a row that touched what was expected otherwise.
create or replace function agentdb._last_writer (
  target integer,
  key jsonb,
  columns text[]
)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('role', l.session_role, 'agent', a.agent_name,
    'run', l.run_id, 'change', l.change_id, 'at', l.recorded_at,
    'audit', l.audit_log_id)
  from agentdb.audit_log as l
  left join agentdb.agent as a on a.agent_id = l.agent_id
  where l.audit_target_id = target
    and jsonb_hash_extended(l.row_key, 0) = jsonb_hash_extended(key, 0)
    and l.row_key = key
    and (l.operation <> 'update' or columns is null or l.new_values ?| columns)
  order by l.audit_log_id desc
  limit 1;
$$;

comment on function agentdb._last_writer (integer, jsonb, text[]) is
  'Who last wrote certain columns of a row: role, agent, run, moment.';


create or replace function agentdb._conflicts_of (
  change bigint,
  target integer,
  found jsonb
)
  returns jsonb
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'table', t.table_name, 'key', r.row_key, 'operation', r.operation,
      'place', r.place, 'conflict', f.value ->> 'conflict',
      'columns', coalesce(x.columns, d.columns),
      'by', coalesce(x.by, agentdb._last_writer(target, r.row_key,
        array(select jsonb_object_keys(d.columns))))
    ) order by r.place), '[]')
  from jsonb_array_elements(found) as f
  join agentdb.change_row as r
    on r.change_id = change and r.place = (f.value ->> 'place')::integer
  join agentdb.audit_target as t on t.audit_target_id = target
  left join lateral (
    select jsonb_object_agg(e.key, jsonb_build_object('expected', e.value,
      'current', f.value -> 'present' -> e.key)
      || case when r.operation = 'update' and r.new_values ? e.key
        then jsonb_build_object('proposed', r.new_values -> e.key)
        else '{}' end) as columns
    from jsonb_each(case when r.operation = 'update' then coalesce(r.seen, '{}')
      else '{}' end || r.expected) as e
    where f.value -> 'present' <> 'null'
      and f.value -> 'present' ? e.key
      and agentdb._is_same(f.value -> 'present' -> e.key, e.value) is not true
  ) as d on true
  left join lateral (
    select c.columns, c.by
    from agentdb._crossing(r.crossed_by) as c
    where f.value ->> 'conflict' = 'was changed in between'
  ) as x on true;
$$;

comment on function agentdb._conflicts_of (bigint, integer, jsonb) is
  'Conflicts in one table with the columns that differ and who wrote them.';


-- On guarded tables agentdb_applier reads, on others whoever calls.
create or replace function agentdb._conflict_rows (
  change bigint,
  target integer,
  most integer,
  as_applier boolean
)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_rows jsonb;
begin
  if as_applier then
    v_rows := agentdb._read_conflicts(change, target, most);
  else
    select jsonb_agg(to_jsonb(f)) into v_rows
    from agentdb._read_rows(agentdb._current_sql(change, target), most) as f;
  end if;
  return coalesce(v_rows, '[]');
end;
$$;

comment on function agentdb._conflict_rows (bigint, integer, integer, boolean) is
  'The rows of a change in one table that are not as expected, as they are now.';


create or replace function agentdb._read_conflicts (
  change bigint,
  target integer,
  most integer
)
  returns jsonb
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_agg(to_jsonb(f))
  from agentdb._read_as_applier(agentdb._current_sql(change, target), most) as f;
$$;

comment on function agentdb._read_conflicts (bigint, integer, integer) is
  'The same, read as agentdb_applier.';


create or replace function agentdb._conflicts (
  change bigint,
  most integer,
  as_applier boolean
)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target integer;
  v_found jsonb := '[]';
begin
  for v_target in
    select distinct r.audit_target_id from agentdb.change_row as r
    where r.change_id = change
  loop
    begin
      v_found := v_found || agentdb._conflicts_of(change, v_target,
        agentdb._conflict_rows(change, v_target, most, as_applier));
    exception when insufficient_privilege then
      -- What it is about has been said by whoever was refused the write.
      null;
    end;
  end loop;
  return v_found;
end;
$$;

comment on function agentdb._conflicts (bigint, integer, boolean) is
  'The first conflicts of a change, a few in each table.';
