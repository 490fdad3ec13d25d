-- The net effect of what an undo takes back: what became of each row, over all that was
-- recorded of it.

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
    old_values jsonb, new_values jsonb, place bigint, crossed_by bigint, single boolean
  )
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with record as materialized (
    select * from agentdb._undo_record(scope, id)
  ),
  -- Counted by its hash first: most rows were written once.
  touched as materialized (
    select r.*, count(*) over (
      partition by r.target, jsonb_hash_extended(r.row_key, 0)) as among
    from record as r
  ),
  several as materialized (
    select t.target, t.row_key, m.first_id, m.crossed_by,
      t.records[cardinality(t.records)] as last_id
    from (
      select r.target, r.row_key,
        array_agg(r.audit_log_id order by r.audit_log_id) as records
      from touched as r
      where r.among > 1
      group by r.target, r.row_key
    ) as t
    cross join lateral agentdb._merged_effect(t.target, t.row_key, t.records) as m
  )
  select r.target, r.row_key, r.operation, r.operation, r.old_values, r.new_values,
    r.audit_log_id, null, true
  from touched as r
  where r.among = 1
  union all
  select m.target, m.row_key, f.operation, l.operation, m.old_values,
    m.new_values, m.last_id, m.crossed_by, false
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
