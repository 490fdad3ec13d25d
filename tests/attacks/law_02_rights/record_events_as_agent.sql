-- The agent reports of another agent what an emitter would.
-- Mutant: sql: grant execute on function agentdb.record_events to agentdb_agent
--@ a agent_a is=42501 must
select status from agentdb.record_events('[{"agent": "b", "proven": true, "conversation": "c", "kind": "tokens", "input": 1000000}]');
