-- Logs: append-only, also for their owner.  Nothing an agent says is ever lost or
-- changed; old days leave with their partition.

create or replace function agentdb._refuse_rewrite ()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'UPDATE' and agentdb._is_erasure(to_jsonb(old), to_jsonb(new)) then
    return new;
  end if;
  raise exception '% of agentdb.% refused: logs are append-only', tg_op, tg_table_name
    using errcode = 'ZA008',
          hint = 'Old rows leave with their partition; see policy.log_retention.';
end;
$$;

comment on function agentdb._refuse_rewrite () is
  'Trigger function: refuses to change or remove rows of a log, also for its owner, '
  'but for what an erasure blanks.';


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
  on agentdb.unproven_log
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

create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.epoch
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.epoch
  for each statement execute function agentdb._refuse_rewrite();

-- A moment goes when what it could answer for is gone.
create or replace trigger agentdb_append_only
  before update
  on agentdb.moment
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.moment
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.removed_day
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.erasure
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.erased_leaf
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.removed_day
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.erasure
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.erased_leaf
  for each statement execute function agentdb._refuse_rewrite();

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
  on agentdb.unproven_log
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.unproven_log_default
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


-- To a suspension its end is added, and when the record of its table was whole again.
create or replace trigger agentdb_append_only
  before delete
  on agentdb.suspension
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_rewrite
  before update
  on agentdb.suspension
  for each row
  when (
    (old.what, old.table_oid, old.table_name, old.audit_target_id, old.lock_name,
      old.reason, old.suspended_by, old.since_at, old.began_at, old.ends_at)
    is distinct from
    (new.what, new.table_oid, new.table_name, new.audit_target_id, new.lock_name,
      new.reason, new.suspended_by, new.since_at, new.began_at, new.ends_at)
    or old.ended_at is not null
      and (old.ended_at, old.ended_by, old.end_reason)
        is distinct from (new.ended_at, new.ended_by, new.end_reason)
    or old.recorded_again_at is distinct from new.recorded_again_at
      and old.recorded_again_at is not null
  )
  execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.suspension
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
