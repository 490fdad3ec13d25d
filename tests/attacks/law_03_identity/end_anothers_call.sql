-- The agent ends a call that another has begun, as a success.
-- Mutant: end_tool_call: `where c.run_id = end_tool_call.run_id
--     and c.call_id = end_tool_call.call_id
--     and c.ended_at is null` -> `where c.call_id = end_tool_call.call_id and c.ended_at is null`
--@ b agent_b
select run_id from agentdb.start_run();
select * from agentdb.begin_tool_call('pay', call_id => 'c-1');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA006 must
select * from agentdb.end_tool_call('c-1', true);
