-- The agent raises the limits of its own policy.
-- Mutant: sql: grant select, update on agentdb.policy to agentdb_agent
--@ a agent_a is=42501 must
update agentdb.policy set conversation_budget_tokens = 1000000000, max_open_runs = 10000;
