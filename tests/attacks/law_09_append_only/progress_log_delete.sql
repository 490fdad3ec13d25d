-- The agent reports progress; the owner of the log deletes it.
-- Mutant: sql: drop trigger agentdb_append_only on agentdb.progress_log
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_progress('s');
--@ p postgres is=ZA008 must
delete from agentdb.progress_log;
