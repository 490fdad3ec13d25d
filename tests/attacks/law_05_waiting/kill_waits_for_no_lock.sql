-- An agent renews its lock in an open transaction; a kill frees what it can and does not wait.
-- Mutant: _release_locks: `skip locked` -> ``
--@ a agent_a save=f
select run_id from agentdb.start_run();
select fence from agentdb.acquire_lock('l');
--@ a agent_a save=run
select max(run_id) from (select run_id from agentdb.check_run()) as r;
--@ a agent_a
begin;
select * from agentdb.renew_lock('l', ${f});
--@ o operator_o limit=4 through=55P03 must
select * from agentdb.kill_run(${run}, 'stuck');
