-- The agent logs arguments of a megabyte.
-- Mutant: _insert_tool_call: `agentdb._unquoted(_insert_tool_call.args), 65536)` -> `agentdb._unquoted(_insert_tool_call.args), 65536000)`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tool_call('t', jsonb_build_object('x', repeat('y', 1000000)));
--@ p postgres value=True must
select octet_length(args::text) < 70000 from agentdb.tool_call_log where tool = 't';
