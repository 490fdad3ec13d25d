-- Undo: a change that takes back what a row of the audit, a transaction, a run or a
-- change did: the net effect on each row, which is expected to be as it was left.

-- What others did to a row between two records of it.
create or replace function agentdb._written_between (
  target integer,
  row_key jsonb,
  records bigint[]
)
  returns table (audit_log_id bigint, operation text, columns text[])
  language sql
  stable
begin atomic
  select l.audit_log_id, l.operation,
    array(select jsonb_object_keys(l.new_values))
  from agentdb.audit_target as t
  join agentdb.audit_target as o on o.table_oid = t.table_oid
  join agentdb.audit_log as l on l.audit_target_id = o.audit_target_id
  where t.audit_target_id = _written_between.target
    and jsonb_hash_extended(l.row_key, 0)
      = jsonb_hash_extended(_written_between.row_key, 0)
    and l.row_key = _written_between.row_key
    and l.audit_log_id > records[1]
    and l.audit_log_id < records[cardinality(records)]
    and l.audit_log_id <> all (records);
end;

comment on function agentdb._written_between (integer, jsonb, bigint[]) is
  'What is recorded of a row between the first and the last of certain records, but '
  'them.';


-- Several records of one row.  What the row was before somebody else deleted it is
-- over: only what came later is taken back.  Else a column that others wrote between
-- two writes of it, or a row that they changed after it was inserted, has no net effect
-- that is the run's alone.
create or replace function agentdb._merged_effect (
  target integer,
  row_key jsonb,
  records bigint[],
  out first_id bigint,
  out crossed_by bigint
)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with other as materialized (
    select * from agentdb._written_between(target, row_key, records)
  ),
  mine as materialized (
    select l.audit_log_id, l.operation,
      array(select jsonb_object_keys(l.new_values)) as columns
    from agentdb.audit_log as l
    where l.audit_log_id = any (records)
      and l.audit_log_id > coalesce((
        select max(o.audit_log_id) from other as o
        where o.operation in ('delete', 'truncate')), 0)
  )
  select
    (select min(m.audit_log_id) from mine as m),
    (
      select max(o.audit_log_id)
      from other as o
      join mine as b on b.audit_log_id < o.audit_log_id
      join mine as a on a.audit_log_id > o.audit_log_id
      where b.operation <> 'update'
        or o.operation <> 'update'
        or o.columns && b.columns and (
          a.operation <> 'update'
          or exists (
            select unnest(o.columns)
            intersect select unnest(b.columns)
            intersect select unnest(a.columns)))
    );
$$;

comment on function agentdb._merged_effect (integer, jsonb, bigint[]) is
  'The first record that still counts, and the last write of somebody else that '
  'cannot be kept apart; NULL where there is none.';


-- One record of a row is taken as it stands; only several are merged.
create or replace function agentdb._net_effect (scope text, id text)
  returns table (
    target integer, row_key jsonb, first_operation text, last_operation text,
    old_values jsonb, new_values jsonb, place bigint, crossed_by bigint
  )
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with record as materialized (
    select * from agentdb._undo_record(scope, id)
  ),
  touched as materialized (
    select r.target, r.row_key,
      array_agg(r.audit_log_id order by r.audit_log_id) as records
    from record as r
    group by r.target, r.row_key
  ),
  several as materialized (
    select t.target, t.row_key, m.first_id, m.crossed_by,
      t.records[cardinality(t.records)] as last_id
    from touched as t
    cross join lateral agentdb._merged_effect(t.target, t.row_key, t.records) as m
    where cardinality(t.records) > 1
  )
  select r.target, r.row_key, r.operation, r.operation, r.old_values, r.new_values,
    r.audit_log_id, null
  from touched as t
  join record as r on r.audit_log_id = t.records[1]
  where cardinality(t.records) = 1
  union all
  select m.target, m.row_key, f.operation, l.operation, m.old_values,
    m.new_values, m.last_id, m.crossed_by
  from (
    select s.target, s.row_key, s.first_id, s.last_id, s.crossed_by,
      jsonb_object_agg(v.key, v.value order by r.audit_log_id desc)
        filter (where v.old) as old_values,
      jsonb_object_agg(v.key, v.value order by r.audit_log_id)
        filter (where not v.old) as new_values
    from several as s
    join record as r on r.target = s.target and r.row_key = s.row_key
      and r.audit_log_id >= s.first_id
    cross join lateral (
      select o.key, o.value, true as old from jsonb_each(r.old_values) as o
      union all
      select n.key, n.value, false from jsonb_each(r.new_values) as n
    ) as v
    group by s.target, s.row_key, s.first_id, s.last_id, s.crossed_by
  ) as m
  join record as f on f.audit_log_id = m.first_id
  join record as l on l.audit_log_id = m.last_id;
$$;

comment on function agentdb._net_effect (text, text) is
  'What became of each row, over all that was recorded of it, and who else wrote it in '
  'between.';


-- Rows are taken back in the reverse order.
create or replace function agentdb._add_undo_rows (
  change bigint,
  scope text,
  id text
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.change_row (
    change_id, place, audit_target_id, operation, row_key, new_values, expected,
    crossed_by
  )
  select change, row_number() over (order by e.place desc), e.target, e.operation,
    e.row_key,
    case e.operation
      when 'insert' then e.old_values - g.generated
      when 'update' then d.old_values
    end,
    case e.operation
      when 'delete' then e.new_values - g.generated
      when 'update' then d.new_values
    end,
    e.crossed_by
  from (
    select n.*,
      case
        when n.first_operation = 'insert' and n.last_operation in ('delete', 'truncate')
          then null
        when n.first_operation = 'insert' then 'delete'
        when n.last_operation in ('delete', 'truncate') then 'insert'
        else 'update'
      end as operation
    from agentdb._net_effect(scope, id) as n
    offset 0
  ) as e
  cross join lateral (
    select array(
      select c.column_name::text from agentdb.change_column as c
      where c.audit_target_id = e.target and c.generated) as generated,
    array(
      select c.column_name::text from agentdb.change_column as c
      where c.audit_target_id = e.target and c.hidden) as hidden
  ) as g
  left join lateral (
    select jsonb_object_agg(v.key, v.value) as old_values,
      jsonb_object_agg(v.key, e.new_values -> v.key) as new_values
    from jsonb_each(e.old_values) as v
    -- Of what is hidden it is known only that it changed.
    where (v.value is distinct from e.new_values -> v.key or v.key = any (g.hidden))
      and v.key <> all (g.generated)
  ) as d on e.operation = 'update'
  where e.operation is not null
    and (e.operation <> 'update' or d.old_values is not null);
$$;

comment on function agentdb._add_undo_rows (bigint, text, text) is
  'Adds the rows that take a net effect back.';


create or replace function agentdb._undo_fault (change bigint)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with used as materialized (
    select distinct r.audit_target_id, r.operation, k.name
    from agentdb.change_row as r
    cross join lateral jsonb_object_keys(coalesce(r.new_values, r.expected)) as k (name)
    where r.change_id = change
  )
  select string_agg(distinct f.fault, '; ')
  from (
    select format('column %I of %s is not there any more', u.name, t.table_name)
      as fault
    from used as u
    join agentdb.audit_target as t on t.audit_target_id = u.audit_target_id
    where not exists (
      select from agentdb.change_column as c
      where c.audit_target_id = u.audit_target_id and c.column_name = u.name)
    union all
    select format('what %I of %s was is not recorded', c.column_name, t.table_name)
    from used as u
    join agentdb.audit_target as t on t.audit_target_id = u.audit_target_id
    join agentdb.change_column as c
      on c.audit_target_id = u.audit_target_id and c.hidden
    where u.operation = 'insert' or u.operation = 'update' and u.name = c.column_name
  ) as f;
$$;

comment on function agentdb._undo_fault (bigint) is
  'Why what was recorded does not suffice to take it back; NULL where it does.';


create or replace function agentdb._plan_undo (
  scope text,
  id text,
  reason text,
  include jsonb,
  keep jsonb
)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
  set work_mem = '64MB'
as $$
declare
  v_change_id bigint;
  v_fault text;
begin
  insert into agentdb.change as c (
    kind, state, automatic, reason, undoes, expires_at
  )
  values (
    'undo', 'open', false,
    agentdb._check_said(coalesce(reason, format('undo of %s %s', scope, id)), 'reason',
      2000),
    jsonb_build_object(scope, id), clock_timestamp() + interval '24 hours'
  )
  returning c.change_id into v_change_id;
  if exists (
    select from agentdb._undone(scope, id) as u
    join agentdb.audit_log as l
      on l.audit_log_id = u.audit_log_id and l.recorded_at = u.recorded_at
    where l.row_key is null
  ) then
    v_fault := 'a table without a primary key was written, whose rows have no names';
  else
    perform agentdb._add_undo_rows(v_change_id, scope, id);
    perform agentdb._undo_key_changes(v_change_id, scope, id);
    perform agentdb._choose_rows(v_change_id, include, keep);
    v_fault := case when exists (
      select from agentdb.change_row as r where r.change_id = v_change_id)
      then agentdb._undo_fault(v_change_id)
      else 'no row that it wrote is recorded, or all are as they were before' end;
  end if;
  if v_fault is not null then
    raise exception 'undo of % % is not possible: %', scope, id, v_fault
      using errcode = 'ZA056',
            hint = 'See what is recorded: select * from agentdb.audit; a run of which '
              'only a part can be taken back is undone row by row: '
              'agentdb.undo_row(audit_log_id).';
  end if;
  perform agentdb._note_tables(v_change_id);
  return v_change_id;
end;
$$;

comment on function agentdb._plan_undo (text, text, text, jsonb, jsonb) is
  'Adds the change that takes something back; raises ZA004, ZA051 or ZA056.';
