-- A process on the machine spends the budget of an agent whose name it knows.
-- Mutant: _parse_events: `coalesce(e.item -> 'proven' = 'true', false)` -> `true`
--@ i intake_i value=unproven must
select status from agentdb.record_events('[{"agent": "a", "proven": false, "conversation": "c", "kind": "tokens", "input": 500000}]');
--@ p postgres value=0 must
select count(*) from agentdb.token_log where recorded_by = 'otlp';
