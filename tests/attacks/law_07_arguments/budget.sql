-- The agent reserves what its budget does not have.
-- Mutant: reserve_tokens: `coalesce(estimate + max_output <= tokens_left, true)` -> `true`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a value=False must
select granted from agentdb.reserve_tokens(900000000);
