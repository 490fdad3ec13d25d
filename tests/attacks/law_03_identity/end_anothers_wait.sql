-- The agent takes another out of the queue for a lock.
-- Mutant: end_wait: `w.lock_name = name and w.run_id = v_run_id` -> `w.lock_name = name`
--@ b agent_b
select run_id from agentdb.start_run();
select * from agentdb.begin_wait('l');
--@ a agent_a value=False must
select run_id from agentdb.start_run();
select waited from agentdb.end_wait('l');
