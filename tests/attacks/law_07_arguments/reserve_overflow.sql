-- The agent reserves so much that the sum overflows, and is told of no error of ours.
-- Mutant: _check_reservation: `estimate::numeric + max_output not between` -> `estimate + max_output not between`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 through=22003 must
select * from agentdb.reserve_tokens(9223372036854775807, 9223372036854775807);
