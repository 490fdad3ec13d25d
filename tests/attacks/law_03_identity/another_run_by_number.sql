-- The agent logs progress for somebody else's run, by its number.
-- Mutant: _current_run: `    and r.role_name = session_user
--   ` -> `    `
--@ b agent_b save=run
select run_id from agentdb.start_run();
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA001 must
select * from agentdb.log_progress('all is well', run => ${run});
