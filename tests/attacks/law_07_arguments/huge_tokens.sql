-- The agent logs more tokens than there can be, so that every sum after it overflows.
-- Mutant: _are_tokens: `and input <= 1000000000` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.log_tokens(9000000000000000000, 0);
