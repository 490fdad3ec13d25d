-- A child and its parent reserve what is left of their tree, one by an older snapshot.
-- Mutant: _pass_gate: `update agentdb.tree_gate as g set passed = g.passed + 1 where g.run_id = root;` -> `perform from agentdb.tree_gate as g where g.run_id = root;`
--@ p postgres
update agentdb.policy set tree_budget_tokens = 1000;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=token
select agentdb.spawn_token();
--@ b agent_b
select run_id from agentdb.start_run(spawn_token => '${token}');
--@ a agent_a
select * from agentdb.reserve_tokens(10);
--@ b agent_b
select * from agentdb.reserve_tokens(10);
--@ b agent_b
begin isolation level repeatable read;
select count(*) from agentdb.remaining_budget();
--@ a agent_a value=True
select granted from agentdb.reserve_tokens(900);
--@ b agent_b is=40001 must
select granted from agentdb.reserve_tokens(900);
