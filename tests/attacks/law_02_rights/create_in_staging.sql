-- The agent puts a view of its own beside the staging views.
-- Mutant: sql: grant create on schema agentdb_stage to agentdb_agent
--@ a agent_a is=42501 must
create view agentdb_stage.orders as select 1 as id;
