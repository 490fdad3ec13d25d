-- The agent copies a table of the pack into one of its own, by a query in a writing CTE.
-- Mutant: sql: grant select on agentdb.agent to agentdb_agent
--@ a agent_a is=42501 must
create temp table mine as with t as (select * from agentdb.agent) select * from t;
