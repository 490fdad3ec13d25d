-- The owner of the audit log has somebody else have done it.
-- Mutant: sql: drop trigger agentdb_append_only on agentdb.audit_log; create trigger agentdb_append_only before delete on agentdb.audit_log for each row execute function agentdb._refuse_rewrite()
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update app.orders set note = 'x' where id = 1;
--@ p postgres is=ZA008 must
update agentdb.audit_log set session_role = 'app_user';
