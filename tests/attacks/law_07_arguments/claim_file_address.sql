-- The agent claims an address that is a file of the verifier's machine.
-- Mutant: claim_http: `if url !~* '^https?://[^/[:space:]]' then` -> `if false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.claim_http('file:///etc/passwd');
