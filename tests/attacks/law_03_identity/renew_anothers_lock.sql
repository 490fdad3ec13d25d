-- The agent renews another's lock for ever, so that nobody gets it.
-- Mutant: _renew_otherwise: `
--     and l.run_id = v_caller.run_id` -> ``
--@ b agent_b save=f
select run_id from agentdb.start_run();
select fence from agentdb.acquire_lock('l');
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a value=False must
select renewed from agentdb.renew_lock('l', ${f}, run => ${run});
