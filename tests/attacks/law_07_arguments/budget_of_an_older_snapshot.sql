-- Two runs reserve the whole day's budget at once, one of them with an older snapshot.
-- Mutant: _pass_gate: `update agentdb.budget_gate as g set passed = g.passed + 1 where g.agent_id = agent;` -> `perform from agentdb.budget_gate as g where g.agent_id = agent;`
--@ p postgres
update agentdb.policy set agent_day_budget_tokens = 1000;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.reserve_tokens(10);
--@ c agent_a save=run
select run_id from agentdb.start_run(conversation => 'another');
--@ c agent_a
select * from agentdb.reserve_tokens(10, run => ${run});
--@ c agent_a
begin isolation level repeatable read;
select count(*) from agentdb.remaining_budget(run => ${run});
--@ a agent_a value=True
select granted from agentdb.reserve_tokens(900);
--@ c agent_a is=40001 must
select granted from agentdb.reserve_tokens(900, run => ${run});
