-- The agent claims a file by a path that depends on where the looker stands.
-- Mutant: claim_file: `if path !~ '^/' then` -> `if false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.claim_file('../../etc/passwd');
