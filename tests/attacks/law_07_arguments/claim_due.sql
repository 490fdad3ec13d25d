-- The agent claims what is to show within a century, so that it is never refuted.
-- Mutant: _add_claim: `elsif within_time < '0' or within_time > '1 day' then` -> `elsif within_time < '0' then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.claim_http('https://example.com/', within_time => '100 years');
