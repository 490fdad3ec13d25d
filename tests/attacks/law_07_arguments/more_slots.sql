-- The agent says that a semaphore has more slots than the others say, and gets one.
-- Mutant: _check_slots: `elsif v_live > 0 then` -> `elsif false then`
--@ b agent_b
select run_id from agentdb.start_run();
--@ b agent_b
select * from agentdb.acquire_slot(name => 's', slots => 1);
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.acquire_slot(name => 's', slots => 2);
