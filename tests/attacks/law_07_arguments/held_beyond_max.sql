-- The agent renews a lock beyond the longest time that it said it would hold it.
-- Mutant: renew_lock: `least(v_now + agentdb._exact_span(ttl), l.hold_until)` -> `v_now + agentdb._exact_span(ttl)`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=f
select fence from agentdb.acquire_lock('l', '10 s', max_hold => '1 minute');
--@ a agent_a value=True must
select expires_at < clock_timestamp() + interval '2 minutes' from agentdb.renew_lock('l', ${f}, '30 minutes');
