-- An emitter of one agent writes into the run of another, by its conversation and call.
-- Mutant: _session_last_run: `and r.agent_id = agent` -> ``
--@ b agent_b save=run
select run_id from agentdb.start_run(conversation => 'c');
--@ i intake_i value=recorded
select status from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "call", "tool": "t", "call_id": "x"}]');
--@ p postgres value=0 must
select count(*) from agentdb.tool_call_log where run_id = ${run};
