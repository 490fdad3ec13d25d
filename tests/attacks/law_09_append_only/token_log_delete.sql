-- The agent logs tokens; the owner of the log deletes it.
-- Mutant: sql: drop trigger agentdb_append_only on agentdb.token_log
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tokens(1, 1);
--@ p postgres is=ZA008 must
delete from agentdb.token_log;
