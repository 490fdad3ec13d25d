-- Logs: append-only, also for their owner.  Nothing an agent says is ever lost or
-- changed; old days leave with their partition.

create or replace function agentdb._refuse_rewrite ()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception '% of agentdb.% refused: logs are append-only', tg_op, tg_table_name
    using errcode = 'ZA008',
          hint = 'Old rows leave with their partition; see policy.log_retention.';
end;
$$;

comment on function agentdb._refuse_rewrite () is
  'Trigger function: refuses to change or remove rows of a log, also for its owner.';


create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.progress_log
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.tool_call_log
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.token_log
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.alert_log
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.audit_log
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.seal
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.audit_log
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.seal
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.audit_log_default
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.progress_log
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.tool_call_log
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.token_log
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.alert_log
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.progress_log_default
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.tool_call_log_default
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.token_log_default
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.alert_log_default
  for each statement execute function agentdb._refuse_rewrite();


create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.stop_log
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.stop_log
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.stop_log_default
  for each statement execute function agentdb._refuse_rewrite();
