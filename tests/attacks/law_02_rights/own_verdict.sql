-- The agent gives its own claim a verdict.
-- Mutant: sql: grant execute on function agentdb.give_verdict to agentdb_agent; grant execute on function agentdb.take_claim to agentdb_agent
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=claim
select claim_id from agentdb.claim_http('https://example.com/');
--@ a agent_a is=42501 must
select attempt from agentdb.take_claim('{http}');
select agentdb.give_verdict(${claim}, 1, 'verified');
