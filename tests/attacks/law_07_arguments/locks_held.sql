-- The agent takes lock after lock, so that others find none free.
-- Mutant: _check_locks: `if cardinality(v_held) > v_max then` -> `if false then`
--@ p postgres
update agentdb.policy set max_locks = 2;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select count(*) from generate_series(1, 2) as g, agentdb.acquire_lock('l' || g);
--@ a agent_a is=ZA005 must
select * from agentdb.acquire_lock('l3');
