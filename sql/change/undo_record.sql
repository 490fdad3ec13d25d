-- What is recorded of what an undo takes back: a row of the audit, a transaction, a run
-- or a change.

create or replace function agentdb._undo_record (scope text, id text)
  returns table (
    audit_log_id bigint, statement bigint, target integer, row_key jsonb,
    operation text, old_values jsonb, new_values jsonb
  )
  language plpgsql
  stable
  rows 10000
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- A condition for each scope, so that each reads by its own index.
  return query execute format($record$
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
    where l.%I = $1::text::%s$record$,
    case scope when 'audit' then 'audit_log_id' when 'xid' then 'xid'
      when 'run' then 'run_id' when 'change' then 'change_id' end,
    case scope when 'xid' then 'xid8' else 'bigint' end)
    using id;
end;
$$;

comment on function agentdb._undo_record (text, text) is
  'What is recorded of the rows that an undo takes back.';
