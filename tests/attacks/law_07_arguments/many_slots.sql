-- The agent makes a semaphore of tens of thousands of rows.
-- Mutant: _check_slots: `slots not between 1 and 1000 then` -> `slots < 1 then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select acquired from agentdb.acquire_slot(name => 's', slots => 20000);
