-- The agent calls a tool that looks like another and is none of the registered ones.
-- Mutant: _clean_text: `\200B-\200F'` -> `\200C-\200F'`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tool_call(U&'send\200B_mail');
--@ p postgres value=0 must
select count(*) from agentdb.tool_call_log where tool ~ U&'\200B';
