-- The agent calls a tool whose name moves the cursor.
-- Mutant: _insert_tool_call: `agentdb._clean_line(_insert_tool_call.tool, 200), v_args` -> `_insert_tool_call.tool, v_args`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tool_call(E't\x1b[1A');
--@ p postgres value=0 must
select count(*) from agentdb.tool_call_log where tool ~ E'\x1b';
