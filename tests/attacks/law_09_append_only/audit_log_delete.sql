-- The agent writes an audited row; the owner of the log deletes it.
-- Mutant: sql: drop trigger agentdb_append_only on agentdb.audit_log
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update app.orders set note = 'x' where id = 1;
--@ p postgres is=ZA008 must
delete from agentdb.audit_log;
