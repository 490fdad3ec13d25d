-- A lock is released that another session renews in a transaction that it keeps open.
-- Mutant: sql: alter function agentdb.release_lock (text, bigint, interval, bigint) reset lock_timeout
--@ a agent_a save=f
select run_id from agentdb.start_run();
select fence from agentdb.acquire_lock('l');
--@ a agent_a save=run
select max(run_id) from (select run_id from agentdb.check_run()) as r;
--@ a agent_a
begin;
select * from agentdb.renew_lock('l', ${f});
--@ c agent_a is=55P03 limit=4 must
select * from agentdb.release_lock('l', ${f}, run => ${run});
