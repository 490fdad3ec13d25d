-- A lock is asked for whose holder takes it in a transaction that it never commits: the answer comes at once.
-- Mutant: _make_lock: `perform set_config('lock_timeout', '100ms', true);` -> `perform set_config('lock_timeout', '0', true);`
--@ a agent_a
select run_id from agentdb.start_run();
--@ b agent_b
select run_id from agentdb.start_run();
--@ a agent_a
begin;
select * from agentdb.acquire_lock('new');
--@ b agent_b value=False limit=4 must
select acquired from agentdb.acquire_lock('new');
