-- The tables of a change, as they were when it was submitted and as they are now.

-- Columns that a change does not name may come, go and change: it is tried again.  A
-- new row has a value in each, and none that comes by itself has been reviewed.
create or replace function agentdb._used_columns (change bigint, target integer)
  returns table (column_name text)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select k.name
  from agentdb.change_row as r
  cross join lateral jsonb_object_keys(
    r.row_key || coalesce(r.new_values, '{}') || coalesce(r.expected, '{}'))
    as k (name)
  where r.change_id = change and r.audit_target_id = target
  union
  -- A key that has grown is another one.
  select c.column_name from agentdb.change_column as c
  where c.audit_target_id = target and c.key_place is not null
  union
  select k.name
  from agentdb.change_table as t
  cross join lateral (
    select jsonb_object_keys(t.columns)
    union all
    select c.column_name from agentdb.change_column as c
    where c.audit_target_id = target and c.default_expression is not null
  ) as k (name)
  where t.change_id = change
    and t.audit_target_id = target
    and exists (
      select from agentdb.change_row as r
      where r.change_id = change
        and r.audit_target_id = target
        and r.operation = 'insert');
$$;

comment on function agentdb._used_columns (bigint, integer) is
  'The columns of a table that have a part in what a change does to it.';


create or replace function agentdb._shape_fault (change bigint, target integer)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format(case
      when f.now is null then 'column %I is gone'
      when f.former is null and f.now ->> 'is' like '% key'
        then 'column %I is new in the key'
      when f.former is null then 'column %I is new and has a default'
      when f.now -> 'is' = f.former -> 'is' then 'column %I is another one of that name'
      else 'column %I was %s and is %s' end,
    f.column_name, f.former ->> 'is', f.now ->> 'is'), ', ' order by f.column_name)
  from (
    select u.column_name, t.columns -> u.column_name as former,
      n.columns -> u.column_name as now
    from agentdb.change_table as t
    cross join lateral (select agentdb._columns_now(target) as columns) as n
    cross join agentdb._used_columns(change, target) as u
    where t.change_id = change and t.audit_target_id = target
  ) as f
  where f.former is distinct from f.now;
$$;

comment on function agentdb._shape_fault (bigint, integer) is
  'Which columns that a change writes are not what they were; NULL where all are.';


create or replace function agentdb._rows_fault (change bigint)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(f.fault, '; ')
  from agentdb.change_table as t
  left join pg_class as c on c.oid = t.table_oid
  left join agentdb.audit_target as a on a.audit_target_id = t.audit_target_id
  cross join lateral (
    select case
      when c.oid is null then format('%s is gone', t.table_name)
      when agentdb._table_name(t.table_oid) <> t.table_name then
        format('what was %s is called %s now', t.table_name,
          agentdb._table_name(t.table_oid))
      when a.unaudited_at is not null then format('%s is not audited', t.table_name)
      when not exists (
        select from agentdb.audit_column as k
        where k.audit_target_id = t.audit_target_id and k.key_place is not null
      ) then format('%s has no primary key any more, by which rows are found',
        t.table_name)
      when agentdb._columns_now(t.audit_target_id) <> t.columns
        and agentdb._shape_fault(change, t.audit_target_id) is not null then
        format('%s was altered since: %s', t.table_name,
          agentdb._shape_fault(change, t.audit_target_id))
    end as fault
  ) as f
  where t.change_id = change;
$$;

comment on function agentdb._rows_fault (bigint) is
  'What has become of the tables of a change so that its rows cannot be read as they '
  'are named; NULL where nothing has.';


-- Only where the facts are others than those that it was tried with are its columns
-- compared.
create or replace function agentdb._change_fault (change bigint)
  returns text
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table record;
  v_fact agentdb.change_fact;
  v_faults text[] := '{}';
  v_fault text;
begin
  for v_table in
    select t.audit_target_id, t.table_name, t.change_fact_id
    from agentdb.change_table as t
    where t.change_id = change
    order by t.audit_target_id
  loop
    v_fact := agentdb._kept_fact(v_table.audit_target_id);
    if v_fact.change_fact_id is distinct from v_table.change_fact_id
      or not v_fact.keyed then
      v_fault := coalesce(v_fault, agentdb._rows_fault(change));
      update agentdb.change_table as t
      set change_fact_id = v_fact.change_fact_id
      where t.change_id = change and t.audit_target_id = v_table.audit_target_id;
    end if;
    v_faults := v_faults || array_remove(array[coalesce(
      agentdb._forbidden_now(change, v_table.audit_target_id, v_fact.policies),
      'an agent controls a part of ' || v_table.table_name || ': ' || v_fact.hostile)],
      null);
  end loop;
  return coalesce(v_fault, nullif(array_to_string(v_faults, '; '), ''));
end;
$$;

comment on function agentdb._change_fault (bigint) is
  'What keeps a change from being applied to its tables as they are now; NULL where '
  'nothing does.';


create or replace function agentdb._check_tables (change bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fault text := agentdb._change_fault(change);
begin
  if v_fault is not null then
    raise exception 'change % cannot be tried: %', change, v_fault
      using errcode = 'ZA051',
            hint = 'The table has to be put right and guarded again.  Tell people: '
              'select * from agentdb.ask_human(question => ''…'');';
  end if;
end;
$$;

comment on function agentdb._check_tables (bigint) is
  'Raises ZA051 where the tables of a change are not what they were.';


create or replace function agentdb._rows_of (
  change bigint,
  out row_count bigint,
  out builds boolean,
  out idle boolean,
  out targets integer[]
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_row record;
begin
  select r.builds_on is not null as builds, r.audit_target_id,
    r.operation = 'check' or r.operation = 'update' and r.new_values = '{}'
      or r.operation = 'insert' and r.shown_key is not null as idle,
    exists (
      select from agentdb.change_row as o
      where o.change_id = change and o.place <> r.place) as several
    into v_row
  from agentdb.change_row as r
  where r.change_id = change
  limit 1;
  if not v_row.several then
    row_count := 1;
    builds := v_row.builds;
    idle := v_row.idle;
    targets := array[v_row.audit_target_id];
    return;
  end if;
  select count(*), count(r.builds_on) > 0,
    bool_or(r.operation = 'check' or r.operation = 'update' and r.new_values = '{}'
      or r.operation = 'insert' and r.shown_key is not null),
    array_agg(distinct r.audit_target_id)
    into row_count, builds, idle, targets
  from agentdb.change_row as r
  where r.change_id = change;
end;
$$;

comment on function agentdb._rows_of (bigint) is
  'How many rows a change has, in which tables, whether some build on other changes, '
  'and whether some may be nothing.';


-- The trial of a transaction without open_change() is made by a trigger, as it ends.
create or replace function agentdb._refuse_depth (trigger text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._refuse(format('trigger %s asks for pg_trigger_depth(), which is '
      'another one where a change is tried as its transaction ends', trigger),
    'Say when: select * from agentdb.open_change(reason => ''…''); then what is to be '
      'staged, then select * from agentdb.submit_change();');
end;
$$;

comment on function agentdb._refuse_depth (text) is
  'Raises ZA004 for a trigger that would do something else in the trial than later.';


create or replace function agentdb._note_tables (change bigint, targets integer[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target integer;
  v_fact agentdb.change_fact;
  v_sound boolean := true;
begin
  foreach v_target in array targets loop
    v_fact := agentdb._kept_fact(v_target);
    if v_fact.deep is not null and pg_trigger_depth() > 0 then
      perform agentdb._refuse_depth(v_fact.deep);
    end if;
    v_sound := v_sound and v_fact.hostile is null and v_fact.keyed;
    insert into agentdb.change_table (
      change_id, audit_target_id, table_oid, table_name, layout, columns, policies,
      change_fact_id
    )
    values (
      change, v_fact.audit_target_id, v_fact.table_oid, v_fact.table_name,
      v_fact.layout, v_fact.columns, v_fact.policies, v_fact.change_fact_id
    );
  end loop;
  if not v_sound then
    perform agentdb._check_tables(change);
  end if;
end;
$$;

comment on function agentdb._note_tables (bigint, integer[]) is
  'Writes down what the tables of a change are now; raises ZA004 or ZA051.';
