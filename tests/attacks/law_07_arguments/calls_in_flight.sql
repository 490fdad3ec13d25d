-- The agent begins a thousand calls and ends none.
-- Mutant: _check_open_calls: `>= 1000 then` -> `>= 1000000 then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ p postgres
insert into agentdb.tool_call (run_id, call_id, agent_id, tool)
select r.run_id, g::text, r.agent_id, 't' from agentdb.run as r, generate_series(1, 1000) as g;
--@ a agent_a is=ZA005 must
select * from agentdb.begin_tool_call('t');
