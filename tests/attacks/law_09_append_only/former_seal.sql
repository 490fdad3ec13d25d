-- Somebody rewrites a row behind the triggers and makes its seal anew; the seals after it no longer follow.
-- Mutant: _root: `sha256(coalesce(former, '\x') || convert_to(` -> `sha256(''::bytea || convert_to(`
--@ x app_user
update app.orders set note = 'x' where id = 1;
--@ p postgres
select agentdb.seal_audit();
--@ x app_user
update app.orders set note = 'y' where id = 1;
--@ p postgres
select agentdb.seal_audit();
--@ p postgres
begin;
set local session_replication_role = replica;
update agentdb.audit_log set new_values = '{}' where audit_log_id = (select min(audit_log_id) from agentdb.audit_log);
update agentdb.seal as s set (digest, root) = (
  select d.digest, agentdb._root(null, s.day, s.snapshot, s.rows, d.digest)
  from agentdb._sealed_rows(null, null, s.snapshot, s.epoch_id) as d)
where seal_id = 1;
commit;
--@ u auditor_u value=False must
select intact from agentdb.verify_audit();
