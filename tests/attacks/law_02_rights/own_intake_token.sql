-- The agent makes itself a token with which emitters speak for another.
-- Mutant: sql: grant execute on function agentdb.make_intake_token to agentdb_agent
--@ a agent_a is=42501 must
select agentdb.make_intake_token('b');
