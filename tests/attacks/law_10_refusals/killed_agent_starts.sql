-- An agent that was killed altogether starts a run.
-- Mutant: _add_run: `perform agentdb._check_stop(null, agent);` -> `perform from agentdb.run where false;`
--@ o operator_o
select * from agentdb.kill_agent('b', 'it is not ours');
--@ b agent_b is=ZA040 must
select run_id from agentdb.start_run();
