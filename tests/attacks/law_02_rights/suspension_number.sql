-- The agent moves the sequence that says whether a protection is suspended.
-- Mutant: sql: grant all on sequence agentdb.suspension_seq to agentdb_agent
--@ a agent_a is=42501 must
select setval('agentdb.suspension_seq', 1);
