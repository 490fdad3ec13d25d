-- The agent draws from the counter of another agent's refusals, to have it blamed.
-- Mutant: sql: grant usage on all sequences in schema agentdb to agentdb_agent
--@ a agent_a is=42501 must
select nextval('agentdb.refused_fence_2');
--@ a agent_a is=42501
select setval('agentdb.refused_fence_1', 1);
