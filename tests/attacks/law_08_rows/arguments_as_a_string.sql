-- The agent sends its arguments as a string that holds JSON, so that no two calls look alike to a reader of members.
-- Mutant: _insert_tool_call: `agentdb._unquoted(_insert_tool_call.args)` -> `_insert_tool_call.args`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tool_call('t', to_jsonb('{"a": 1, "request_id": "x"}'::text));
--@ p postgres value=object must
select jsonb_typeof(args) from agentdb.tool_call_log where tool = 't';
