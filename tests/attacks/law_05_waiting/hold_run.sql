-- A run is held while an open transaction is holding it.
-- Mutant: sql: alter function agentdb.hold_run (timestamptz, text, bigint) reset lock_timeout
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
begin;
select * from agentdb.hold_run(now() + interval '1 minute', 'waiting');
--@ c agent_a is=55P03 limit=4 must
select * from agentdb.hold_run(now() + interval '2 minutes', 'waiting', run => ${run});
