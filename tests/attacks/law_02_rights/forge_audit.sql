-- The agent writes into the audit log that somebody else did it.
-- Mutant: sql: grant insert on agentdb.audit_log to agentdb_agent
--@ a agent_a is=42501 must
insert into agentdb.audit_log (recorded_at, statement, session_role, audit_target_id, operation)
values (now(), 1, 'app_user', 1, 'delete');
