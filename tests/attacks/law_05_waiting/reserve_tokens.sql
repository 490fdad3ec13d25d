-- Tokens are reserved while another session of the agent keeps a reservation open.
-- Mutant: sql: alter function agentdb.reserve_tokens (bigint, bigint, bigint) reset lock_timeout
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
begin;
select * from agentdb.reserve_tokens(10);
--@ c agent_a is=55P03 limit=4 must
select * from agentdb.reserve_tokens(10, run => ${run});
