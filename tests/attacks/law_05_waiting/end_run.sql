-- A run is ended that an open transaction is holding.
-- Mutant: sql: alter function agentdb.end_run (text, text, bigint) reset lock_timeout
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
begin;
select * from agentdb.hold_run(now() + interval '1 minute', 'waiting');
--@ c agent_a is=55P03 limit=4 must
select * from agentdb.end_run(run => ${run});
