-- A free lock is asked for whose row an open transaction has changed: it is not waited for.
-- Mutant: _take_lock: `for no key update skip locked` -> `for no key update`
--@ a agent_a save=f
select run_id from agentdb.start_run();
select fence from agentdb.acquire_lock('l');
--@ b agent_b
select run_id from agentdb.start_run();
--@ a agent_a
select agentdb.release_lock('l', ${f});
--@ q postgres
begin;
select from agentdb.lock where lock_name = 'l' for update;
--@ b agent_b value=False limit=4 through=55P03 must
select acquired from agentdb.acquire_lock('l');
