-- The agent renews a lock by more than its policy allows.
-- Mutant: renew_lock: `and ttl > '0' and ttl <= v_max_ttl then` -> `and ttl > '0' then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=f
select fence from agentdb.acquire_lock('l');
--@ a agent_a is=ZA004 must
select * from agentdb.renew_lock('l', ${f}, '365 days');
