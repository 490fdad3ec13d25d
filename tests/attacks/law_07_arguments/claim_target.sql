-- The agent claims a file whose name only looks like the one that is meant.
-- Mutant: _add_claim: `elsif target <> agentdb._clean_text(target, 4096) then` -> `elsif false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.claim_file(U&'/srv/re\200Bport');
