-- The agent logs a call that took less than no time.
-- Mutant: log_tool_call: `or duration < '0' or duration` -> `or duration`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.log_tool_call('t', duration => '-1 hour');
