-- The agent holds its run for years, and is never found stuck.
-- Mutant: hold_run: `or until > clock_timestamp() + v_max then` -> `then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.hold_run(now() + interval '10 years', 'waiting');
