-- The agent claims something of fifty levels.
-- Mutant: _add_claim: `or jsonb_path_exists(expectation, 'strict $.**{33}') then` -> `then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.claim_custom('own', 't', ('{"a":' || repeat('[', 50) || repeat(']', 50) || '}')::jsonb);
