-- The agent puts a function of its own into the schema that everybody trusts.
-- Mutant: sql: grant create on schema agentdb to agentdb_agent
--@ a agent_a is=42501 must
create function agentdb.log_everything () returns void language sql as 'select';
