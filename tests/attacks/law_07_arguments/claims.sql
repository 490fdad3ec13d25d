-- The agent makes more claims than anybody can check.
-- Mutant: _check_claims: `if found then` -> `if false then`
--@ p postgres
update agentdb.policy set max_claims = 1;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.claim_http('https://example.com/1');
--@ a agent_a is=ZA005 must
select * from agentdb.claim_http('https://example.com/2');
