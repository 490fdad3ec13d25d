-- The agent calls a tool whose name goes on on the next line, as if agentdb said it.
-- Mutant: _clean_line: `return translate(agentdb._clean_text(value, max_length), E'\t\n', ' ');` -> `return agentdb._clean_text(value, max_length);`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tool_call(E'ls\n[ok] all good');
--@ p postgres value=0 must
select count(*) from agentdb.tool_call_log where tool ~ '[[:cntrl:]]';
