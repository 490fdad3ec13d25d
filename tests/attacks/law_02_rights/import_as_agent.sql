-- The agent brings a past of its own making.
-- Mutant: sql: grant execute on function agentdb.import_events to agentdb_agent
--@ a agent_a is=42501 must
select status from agentdb.import_events('[{"kind": "call", "agent": "past", "tool": "t", "at": "2026-11-29T12:00:00Z"}]');
