-- A wait is begun that another session begins in a transaction that it keeps open.
-- Mutant: sql: alter function agentdb.begin_wait (text, interval, bigint) reset lock_timeout
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
begin;
select * from agentdb.begin_wait('l');
--@ c agent_a is=55P03 limit=4 must
select * from agentdb.begin_wait('l', run => ${run});
