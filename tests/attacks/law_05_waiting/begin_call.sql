-- A call is begun that another session has begun in a transaction that it keeps open.
-- Mutant: sql: alter function agentdb.begin_tool_call (text, jsonb, text, bigint, interval) reset lock_timeout
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
begin;
select * from agentdb.begin_tool_call('t', call_id => 'c-1');
--@ c agent_a is=55P03 limit=4 must
select * from agentdb.begin_tool_call('t', call_id => 'c-1', run => ${run});
