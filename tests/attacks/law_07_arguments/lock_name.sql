-- The agent takes a lock whose name looks like another's.
-- Mutant: _make_lock: `if not agentdb._is_clean_name(name, 200) then` -> `if false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.acquire_lock(U&'billing\200B');
