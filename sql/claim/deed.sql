-- Deeds: what a run did to each row, in the end.

-- What is not in the record may have changed: where columns are left out or hidden,
-- nothing is said to be as it was.
create or replace function agentdb._taken_back (run bigint)
  returns table (audit_target_id integer, row_key jsonb)
  language sql
  stable
begin atomic
  with entry as (
    select a.audit_target_id, a.row_key, a.audit_log_id, a.old_values, a.new_values,
      count(*) over (partition by a.audit_target_id, a.row_key) as entries
    from agentdb.audit_log as a
    join agentdb.audit_target as t on t.audit_target_id = a.audit_target_id
    where a.run_id = run
      and a.row_key is not null
      and coalesce(cardinality(t.excluded), 0) + cardinality(t.excluded_places) = 0
  ),
  settled as (
    select e.audit_target_id, e.row_key,
      (array_agg(e.old_values -> k.name order by e.audit_log_id)
        filter (where e.old_values ? k.name))[1] as was,
      (array_agg(e.new_values -> k.name order by e.audit_log_id desc)
        filter (where e.new_values ? k.name))[1] as became
    from entry as e
    cross join lateral jsonb_object_keys(
      coalesce(e.old_values, '{}') || coalesce(e.new_values, '{}')) as k (name)
    -- What was written once is no more as it was.
    where e.entries > 1
    group by e.audit_target_id, e.row_key, k.name
  )
  select s.audit_target_id, s.row_key
  from settled as s
  group by s.audit_target_id, s.row_key
  having bool_and(coalesce(s.was = s.became and s.was <> '"[redacted]"', false));
end;

comment on function agentdb._taken_back (bigint) is
  'The rows whose values a run left as it had found them, if it found and left any.';


-- What a run did to each row in the end.  A row that it made and deleted again was
-- neither, nor is one that is again as it was; one that it deleted and made again
-- otherwise was updated.
create or replace function agentdb._deeds (run bigint)
  returns table (
    table_name text, row_key jsonb, operation text, operations text[],
    changed_at timestamptz
  )
  language sql
  stable
begin atomic
  select t.table_name, l.row_key,
    case
      when l.row_key is null then (array_agg(l.operation))[1]
      when l.first_operation = 'insert' and l.last_operation = 'delete' then 'none'
      when l.first_operation = 'insert' then 'insert'
      when l.last_operation = 'delete' then 'delete'
      when bool_or(b.row_key is not null) then 'none'
      else 'update'
    end,
    array_agg(distinct l.operation),
    max(l.recorded_at)
  from (
    select a.audit_target_id, a.row_key, a.operation, a.recorded_at,
      first_value(a.operation) over w as first_operation,
      last_value(a.operation) over w as last_operation,
      -- Rows without a key stay apart.
      case when a.row_key is null then a.audit_log_id end as apart
    from agentdb.audit_log as a
    where a.run_id = run
    window w as (
      partition by a.audit_target_id, a.row_key,
        case when a.row_key is null then a.audit_log_id end
      order by a.audit_log_id
      rows between unbounded preceding and unbounded following
    )
  ) as l
  join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
  left join agentdb._taken_back(run) as b
    on b.audit_target_id = l.audit_target_id and b.row_key = l.row_key
  group by t.table_name, l.row_key, l.apart, l.first_operation, l.last_operation;
end;

comment on function agentdb._deeds (bigint) is
  'Each row that a run changed and what became of it: insert, update, delete, or none.';


-- A row that was made in the run may also be claimed as updated, if it was.
create or replace function agentdb._did (deed text, operations text[], claimed text)
  returns boolean
  language sql
  immutable
  return deed = claimed
    or (claimed = 'update' and deed = 'insert' and 'update' = any (operations));

comment on function agentdb._did (text, text[], text) is
  'Tells whether what became of a row bears out what was claimed of it.';
