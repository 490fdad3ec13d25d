-- A call is ended that another session has ended in a transaction that it keeps open.
-- Mutant: sql: alter function agentdb.end_tool_call (text, boolean, text, bigint, text, bigint) reset lock_timeout
--@ a agent_a save=run
select run_id from agentdb.start_run();
select * from agentdb.begin_tool_call('t', call_id => 'c-1');
--@ a agent_a
begin;
select * from agentdb.end_tool_call('c-1');
--@ c agent_a is=55P03 limit=4 must
select * from agentdb.end_tool_call('c-1', run => ${run});
