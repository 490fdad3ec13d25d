-- The agent registers itself a second time, under a policy without limits.
-- Mutant: sql: grant execute on function agentdb.register_agent, agentdb._register_agent, agentdb._watch_connection to agentdb_agent; grant agentdb_agent to owner_2
--@ a agent_a is=42501 must
select * from agentdb.register_agent('a2', 'owner_2');
