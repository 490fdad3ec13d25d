-- The agent hides a terminal escape in the id of a call.
-- Mutant: _check_tool: `elsif call_id is not null and not agentdb._is_clean_name(call_id, 200) then` -> `elsif false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.log_tool_call('t', call_id => E'c\x1b[2J');
