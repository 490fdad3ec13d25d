-- The agent logs a call of a tool without a name.
-- Mutant: _check_tool: `if tool is null or tool !~ '[^[:space:]]' then` -> `if tool is null then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.log_tool_call('  ');
