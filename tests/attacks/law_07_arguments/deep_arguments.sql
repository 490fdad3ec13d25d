-- The agent logs arguments of hundreds of levels, which break whoever reads them.
-- Mutant: _bounded_json: `or jsonb_path_exists(value, 'strict $.**{33}')` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tool_call('t', (repeat('[', 200) || repeat(']', 200))::jsonb);
--@ p postgres value=True must
select args ? 'truncated' from agentdb.tool_call_log where tool = 't';
