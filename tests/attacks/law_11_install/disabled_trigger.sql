-- The trigger that keeps a log append-only was disabled and forgotten.
-- Mutant: file agentdb/schema/check.py: `|| t.tgenabled::text` -> ``
--@ p postgres
alter table agentdb.audit_log disable trigger agentdb_append_only;
--@ i cli:postgres is=1 like=agentdb_append_only must
install --check
