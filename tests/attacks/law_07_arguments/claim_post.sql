-- The agent claims an address by a request that changes something when it is looked at.
-- Mutant: claim_http: `elsif method is null or method not in ('GET', 'HEAD') then` -> `elsif method is null then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.claim_http('https://example.com/pay', method => 'POST');
