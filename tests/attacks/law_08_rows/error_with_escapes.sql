-- The agent's tool fails with a text that paints over the line above.
-- Mutant: _insert_tool_call: `agentdb._clean_text(_insert_tool_call.error, 4000)` -> `_insert_tool_call.error`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tool_call('t', ok => false, error => E'e\x1b[1A');
--@ p postgres value=0 must
select count(*) from agentdb.tool_call_log where error ~ E'\x1b';
