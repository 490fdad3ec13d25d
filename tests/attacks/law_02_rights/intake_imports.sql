-- What takes in events writes a past.
-- Mutant: sql: grant execute on function agentdb.import_events to agentdb_intake
--@ i intake_i is=42501 must
select status from agentdb.import_events('[{"kind": "call", "agent": "past", "tool": "t", "at": "2026-11-29T12:00:00Z"}]');
