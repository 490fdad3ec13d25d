-- A text that reads like yes is taken for a proof.
-- Mutant: _parse_events: `e.item -> 'proven' = 'true'` -> `e.item ->> 'proven' = 'true'`
--@ i intake_i value=unproven must
select status from agentdb.record_events('[{"agent": "a", "proven": "true", "conversation": "c", "kind": "progress", "step": "done"}]');
