-- The agent reads the hashes of the secrets of those behind a shared role.
-- Mutant: sql: grant select on agentdb.agent_secret to agentdb_agent
--@ a agent_a is=42501 must
select * from agentdb.agent_secret;
