-- The agent enters another's lock again, with a fence that it has read.
-- Mutant: _reenter_lock: `
--     and l.run_id = _reenter_lock.run_id` -> ``
--@ b agent_b save=f
select run_id from agentdb.start_run();
select fence from agentdb.acquire_lock('l');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a value=False must
select acquired from agentdb.acquire_lock('l', fence => ${f});
