-- The agent lets go of a lock that then cools for a year.
-- Mutant: _cooling_span: `if at_least < '0' or at_least > max_ttl then` -> `if at_least < '0' then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=f
select fence from agentdb.acquire_lock('l');
--@ a agent_a is=ZA004 must
select * from agentdb.release_lock('l', ${f}, at_least => '365 days');
