-- Somebody takes the trigger off, changes a row of the log and puts it back: the seal says which day.
-- Mutant: _sealed_rows: `agentdb._leaf(l.salt, l.row_key, l.old_values, l.new_values)` -> `agentdb._leaf(l.salt, l.row_key, l.old_values, null)`
--@ x app_user
update app.orders set note = 'x' where id = 1;
--@ p postgres
select agentdb.seal_audit();
--@ p postgres
begin;
alter table agentdb.audit_log disable trigger agentdb_append_only;
update agentdb.audit_log set new_values = '{}';
alter table agentdb.audit_log enable trigger agentdb_append_only;
commit;
--@ u auditor_u value=False must
select intact from agentdb.verify_audit();
