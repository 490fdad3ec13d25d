-- What is recorded of what an undo takes back: a row of the audit, a transaction, a run
-- or a change.

create or replace function agentdb._undone (scope text, id text)
  returns table (audit_log_id bigint, recorded_at timestamptz)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if scope = 'audit' then
    return query
      select l.audit_log_id, l.recorded_at
      from agentdb.audit_log as l where l.audit_log_id = id::bigint;
  elsif scope = 'xid' then
    return query
      select l.audit_log_id, l.recorded_at
      from agentdb.audit_log as l where l.xid = id::xid8;
  elsif scope = 'run' then
    return query
      select l.audit_log_id, l.recorded_at
      from agentdb.audit_log as l where l.run_id = id::bigint;
  elsif scope = 'change' then
    return query
      select l.audit_log_id, l.recorded_at
      from agentdb.audit_log as l where l.change_id = id::bigint;
  end if;
end;
$$;

comment on function agentdb._undone (text, text) is
  'The rows of the audit that an undo takes back.';


create or replace function agentdb._undo_record (scope text, id text)
  returns table (
    audit_log_id bigint, statement bigint, target integer, row_key jsonb,
    operation text, old_values jsonb, new_values jsonb
  )
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select l.audit_log_id, l.statement, p.target, l.row_key, l.operation, l.old_values,
    l.new_values
  from agentdb.audit_log as l
  join (
    -- Of a table that was attached anew the present attachment.
    select t.audit_target_id, max(o.audit_target_id) as target
    from agentdb.audit_target as t
    join agentdb.audit_target as o on o.table_oid = t.table_oid
    group by t.audit_target_id
  ) as p on p.audit_target_id = l.audit_target_id
  where (l.audit_log_id, l.recorded_at) in (
    select distinct u.audit_log_id, u.recorded_at
    from agentdb._undone(scope, id) as u);
$$;

comment on function agentdb._undo_record (text, text) is
  'What is recorded of the rows that an undo takes back.';
