-- The agent finds out how far another may go.
-- Mutant: sql: grant execute on function agentdb.judge_call to agentdb_agent
--@ a agent_a is=42501 must
select allowed from agentdb.judge_call('b', 'c');
