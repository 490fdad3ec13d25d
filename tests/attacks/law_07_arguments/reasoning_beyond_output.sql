-- The agent says that it reasoned more than it wrote.
-- Mutant: _are_tokens: `reasoning <= output` -> `reasoning <= 1000000000`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.log_tokens(1, 1, reasoning => 5);
