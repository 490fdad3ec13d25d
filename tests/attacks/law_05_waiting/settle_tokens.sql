-- A reservation is settled that another session settles in a transaction that it keeps open.
-- Mutant: sql: alter function agentdb.settle_tokens reset lock_timeout
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a save=r
select reservation from agentdb.reserve_tokens(10);
--@ a agent_a
begin;
select * from agentdb.settle_tokens(${r}, 1, 1);
--@ c agent_a is=55P03 limit=4 must
select * from agentdb.settle_tokens(${r}, 1, 1, run => ${run});
