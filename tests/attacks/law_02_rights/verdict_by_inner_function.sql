-- The agent calls the function behind the one that looks at the lease of a claim.
-- Mutant: sql: grant execute on function agentdb._give_verdict to agentdb_agent; alter function agentdb._give_verdict(bigint, text, jsonb) security definer
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=claim
select claim_id from agentdb.claim_http('https://example.com/');
--@ a agent_a is=42501 must
select agentdb._give_verdict(${claim}, 'verified', '{}');
