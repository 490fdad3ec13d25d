-- An operator reports of an agent what only an emitter can.
-- Mutant: sql: grant execute on function agentdb.record_events to agentdb_operator
--@ o operator_o is=42501 must
select status from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "progress", "step": "done"}]');
