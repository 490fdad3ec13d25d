-- The agent slept past the time of its lock, and writes what the lock protects.
-- Mutant: _check_fence: `and agentdb._is_live(l.expires_at, l.renewed_at, clock_timestamp())` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.acquire_lock('report', '1 s');
--@ a agent_a
select pg_sleep(1.2);
--@ a agent_a is=ZA020 must
update app.report set text = 'late';
