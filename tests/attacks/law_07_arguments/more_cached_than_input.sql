-- The agent logs more input from the cache than there was, so that tokens are taken off.
-- Mutant: _apart: `cached_input > input` -> `cached_input > input + 1000000`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 through=23514 must
select * from agentdb.log_tokens(0, 0, cached_input => 1000, cached_within => true);
