-- The agent says what was wrong with its arguments in a text with escapes.
-- Mutant: _insert_tool_call: `agentdb._clean_text(_insert_tool_call.violation, 1000)` -> `_insert_tool_call.violation`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tool_call('t', violation => E'v\x1b[1A');
--@ p postgres value=0 must
select count(*) from agentdb.tool_fault where detail ~ E'\x1b';
