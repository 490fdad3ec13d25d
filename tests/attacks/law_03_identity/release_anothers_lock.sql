-- The agent releases another's lock, whose fence it has seen in a log.
-- Mutant: release_lock: `
--     and l.role_name = session_user` -> ``
--@ b agent_b save=f
select run_id from agentdb.start_run();
select fence from agentdb.acquire_lock('l');
--@ b agent_b save=f
select agentdb.release_lock('l', ${f});
select fence from agentdb.acquire_lock('l');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a value=False must
select released from agentdb.release_lock('l', ${f});
