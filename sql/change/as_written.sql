-- Who applies an undo with rights of its own is believed only where all of its rows
-- became what the undo says.

create or replace function agentdb._is_as_written (change bigint)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  -- Of what this transaction has written the planner knows nothing.
  set enable_nestloop = off
as $$
  with written as materialized (
    select l.audit_target_id, l.row_key, l.operation, l.new_values
    from agentdb.audit_log as l
    -- The last of a row; most are written once.
    where l.audit_log_id in (
      select max(o.audit_log_id)
      from agentdb.audit_log as o
      where o.xid = pg_current_xact_id_if_assigned()
        and o.change_id = change
        and o.row_key is not null
      group by o.audit_target_id, o.row_key)
      and l.xid = pg_current_xact_id_if_assigned()
  ),
  -- Triggers of the application make of a row what they like.
  exact as materialized (
    select t.audit_target_id
    from agentdb.change_table as t
    where t.change_id = change
      and not agentdb._fires(t.table_oid, 'insert', false)
      and not agentdb._fires(t.table_oid, 'update', false)
  )
  select not exists (
    select
    from agentdb.change_row as r
    join exact as e on e.audit_target_id = r.audit_target_id
    join written as w
      on w.audit_target_id = r.audit_target_id and w.row_key = r.row_key
    cross join lateral (
      select coalesce(r.expected, '{}') || w.new_values as present) as p
    where r.change_id = change
      and r.operation in ('insert', 'update')
      -- A changed key is recorded as a delete and an insert.
      and w.operation <> 'delete'
      -- Most are the same in form as well.
      and p.present || r.new_values <> p.present
      and exists (
        select from jsonb_each(r.new_values) as v
        where agentdb._is_same(p.present -> v.key, v.value) is not true));
$$;

comment on function agentdb._is_as_written (bigint) is
  'Whether the rows of a change that this transaction has written became what it says.';
