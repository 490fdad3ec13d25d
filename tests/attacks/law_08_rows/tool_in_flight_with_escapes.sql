-- The agent begins a call of a tool whose name moves the cursor; it is shown while it hangs.
-- Mutant: begin_tool_call: `agentdb._clean_line(tool, 200)` -> `tool`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.begin_tool_call(E't\x1b[1A');
--@ p postgres value=0 must
select count(*) from agentdb.tool_call where tool ~ E'\x1b';
