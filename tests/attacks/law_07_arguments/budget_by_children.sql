-- The agent has children spend for it: each has a budget of its own, and all have one.
-- Mutant: _reserved: `('tree', v.run_id in (select k.run_id from kin as k))` -> `('tree', v.run_id = run)`
--@ p postgres
update agentdb.policy set tree_budget_tokens = 1000;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=token
select agentdb.spawn_token();
--@ a agent_a value=True
select granted from agentdb.reserve_tokens(900);
--@ b agent_b
select run_id from agentdb.start_run(spawn_token => '${token}');
--@ b agent_b value=False must
select granted from agentdb.reserve_tokens(900);
