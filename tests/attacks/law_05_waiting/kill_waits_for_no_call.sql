-- A call is being ended in an open transaction; a kill does not wait for it.
-- Mutant: _close_calls: `for no key update skip locked` -> `for no key update`
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.begin_tool_call('t', call_id => 'c-1');
--@ a agent_a
begin;
select * from agentdb.end_tool_call('c-1');
--@ o operator_o limit=4 through=55P03 must
select * from agentdb.kill_run(${run}, 'stuck');
