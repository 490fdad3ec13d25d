-- The agent repeats a call with another request id each time, so that none looks repeated.
-- Mutant: _call_signature: `"(request|req|trace|span|correlation|idempotency)[_-]?(id|key)": ` -> `"none": `
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tool_call('t', '{"a": 1, "request_id": "x"}');
select * from agentdb.log_tool_call('t', '{"a": 1, "request_id": "y"}');
--@ p postgres value=1 must
select count(distinct call_signature) from agentdb.tool_call_log where tool = 't';
