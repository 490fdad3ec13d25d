-- The agent holds its run; the owner of the log deletes it.
-- Mutant: sql: drop trigger agentdb_append_only on agentdb.stop_log
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.hold_run(now() + interval '1 minute', 'r');
--@ p postgres is=ZA008 must
delete from agentdb.stop_log;
