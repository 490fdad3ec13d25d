-- The agent opens run after run, to have a cap and a budget for each.
-- Mutant: _check_open_runs: `if cardinality(v_open) >= v_max then` -> `if false then`
--@ p postgres
update agentdb.policy set max_open_runs = 2;
--@ a agent_a
select run_id from agentdb.start_run();
--@ b agent_a
select run_id from agentdb.start_run();
--@ c agent_a is=ZA005 must
select run_id from agentdb.start_run();
