-- The agent takes a lock for a year.
-- Mutant: _is_span: `ttl > '0' and ttl <= max_ttl` -> `ttl > '0'`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.acquire_lock('l', '365 days');
