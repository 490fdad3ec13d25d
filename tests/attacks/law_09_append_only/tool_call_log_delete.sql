-- The agent logs a call; the owner of the log deletes it.
-- Mutant: sql: drop trigger agentdb_append_only on agentdb.tool_call_log
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tool_call('t');
--@ p postgres is=ZA008 must
delete from agentdb.tool_call_log;
