-- The agent begins a conversation for each prompt; the budget of the day goes on.
-- Mutant: _reserved: `('agent_day', v.agent_id = agent)` -> `('agent_day', v.run_id = run)`
--@ p postgres
update agentdb.policy set agent_day_budget_tokens = 1000;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a value=True
select granted from agentdb.reserve_tokens(900);
--@ c agent_a save=run
select run_id from agentdb.start_run(conversation => 'another');
--@ c agent_a value=False must
select granted from agentdb.reserve_tokens(900, run => ${run});
