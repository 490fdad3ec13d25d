-- The agent reserves a trillion tokens at once.
-- Mutant: _check_reservation: `not between 1 and 1000000000` -> `< 1`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.reserve_tokens(1000000000000);
