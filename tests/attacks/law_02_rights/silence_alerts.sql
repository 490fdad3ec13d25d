-- The agent silences the alerts about itself.
-- Mutant: sql: grant execute on function agentdb.silence_alerts to agentdb_agent
--@ a agent_a is=42501 must
select agentdb.silence_alerts('agent=a', '1 hour', 'quiet');
