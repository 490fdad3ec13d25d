-- A subagent goes on whose conversation was killed.
-- Mutant: _stop_verdict: `join agentdb.run as r on r.run_id = b.parent_run_id` -> `join agentdb.run as r on false`
--@ i intake_i save=run
select run_id from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "start"}]');
--@ i intake_i value=recorded
select status from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "call", "tool": "t", "thread": "sub"}]');
--@ o operator_o
select * from agentdb.kill_run(${run}, 'enough', tree => false);
--@ i intake_i value=False must
select allowed from agentdb.judge_call('a', 'c', 'sub', 't');
