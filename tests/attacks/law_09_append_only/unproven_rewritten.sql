-- Who owns the log rewrites what was said without proof.
-- Mutant: sql: alter table agentdb.unproven_log disable trigger agentdb_append_only; alter table agentdb.unproven_log_default disable trigger agentdb_append_only
--@ i intake_i value=unproven
select status from agentdb.record_events('[{"agent": "a", "proven": false, "conversation": "c", "kind": "call", "tool": "t"}]');
--@ p postgres is=ZA008 must
delete from agentdb.unproven_log;
