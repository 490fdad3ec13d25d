-- What takes in events gives them a moment of the past, out of every rule's sight.
-- Mutant: record_events: `or recorded_by = 'import'` -> ``
--@ i intake_i is=ZA004 must
select status from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "call", "tool": "t", "at": "2026-11-20T12:00:00Z"}]', 'import');
