-- The agent takes the name of a semaphore as a lock, beside all who hold a slot.
-- Mutant: _make_lock: `where l.lock_name = name and (l.slot = 0) <> (first_slot = 0)` -> `where false`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.acquire_slot(name => 's', slots => 3);
--@ a agent_a is=ZA004 must
select * from agentdb.acquire_lock('s');
