-- The agent logs arguments of a megabyte.
-- Mutant: _insert_tool_call: `agentdb._bounded_json(v_args, 65536)` -> `v_args`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tool_call('t', jsonb_build_object('x', repeat('y', 1000000)));
--@ p postgres value=True must
select octet_length(args::text) < 70000 from agentdb.tool_call_log where tool = 't';
