-- The agent renews a lock that ran out, in a transaction that began before it did.
-- Mutant: renew_lock: `v_now timestamptz := clock_timestamp();` -> `v_now timestamptz := transaction_timestamp();`
--@ a agent_a save=f
select run_id from agentdb.start_run();
select fence from agentdb.acquire_lock('l', max_hold => '0.5 s');
--@ a agent_a
begin;
select pg_sleep(0.8);
--@ a agent_a value=False must
select renewed from agentdb.renew_lock('l', ${f});
