-- The agent takes a lock from its holder as an operator would.
-- Mutant: sql: grant execute on function agentdb.force_release_lock to agentdb_agent
--@ b agent_b
select run_id from agentdb.start_run();
select fence from agentdb.acquire_lock('l');
--@ a agent_a is=42501 must
select * from agentdb.force_release_lock('l', 'mine now');
