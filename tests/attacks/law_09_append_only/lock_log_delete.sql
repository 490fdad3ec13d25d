-- The agent gives back a lock; the owner of the log deletes it.
-- Mutant: sql: drop trigger agentdb_append_only on agentdb.lock_log
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select agentdb.release_lock('l', fence) from agentdb.acquire_lock('l');
--@ p postgres is=ZA008 must
delete from agentdb.lock_log;
