-- The agent reads what another has called its tools with.
-- Mutant: sql: grant select on agentdb.tool_call_log to public
--@ b agent_b
select run_id from agentdb.start_run();
select * from agentdb.log_tool_call('login', '{"user": "ann"}');
--@ a agent_a is=42501 must
select args from agentdb.tool_call_log;
