-- The agent takes a lock late in a transaction, as if it had held it from the start.
-- Mutant: _take_lock: `acquired_at = clock_timestamp(),` -> `acquired_at = transaction_timestamp(),`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=began
begin;
select transaction_timestamp();
--@ a agent_a
select pg_sleep(0.3);
--@ a agent_a
select * from agentdb.acquire_lock('l');
commit;
--@ p postgres value=True must
select max(acquired_at) > '${began}'::timestamptz + interval '0.25 s' from agentdb.lock where lock_name = 'l';
