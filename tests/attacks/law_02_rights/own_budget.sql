-- The agent gives itself a budget.
-- Mutant: sql: grant insert on agentdb.budget_override to agentdb_agent
--@ p postgres save=agent
select agent_id from agentdb.agent where agent_name = 'a';
--@ a agent_a is=42501 must
insert into agentdb.budget_override (agent_id, scope, max_tokens) values (${agent}, 'run', null);
