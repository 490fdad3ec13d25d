-- A wait is ended that another session ends in a transaction that it keeps open.
-- Mutant: sql: alter function agentdb.end_wait (text, bigint) reset lock_timeout
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.begin_wait('l');
--@ a agent_a
begin;
select * from agentdb.end_wait('l');
--@ c agent_a is=55P03 limit=4 must
select * from agentdb.end_wait('l', run => ${run});
