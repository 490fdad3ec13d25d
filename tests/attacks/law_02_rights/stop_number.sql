-- The agent moves the sequence by which runs know that nobody was stopped.
-- Mutant: sql: grant all on sequence agentdb.stop_number_seq to agentdb_agent
--@ a agent_a is=42501 must
select setval('agentdb.stop_number_seq', 1);
