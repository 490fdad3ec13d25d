-- An emitter, or who has heard it, sends an event again, and it counts twice.
-- Mutant: _take_keys: `or (t.agent_id, t.key) not in (select f.agent_id, f.key from fresh as f)` -> ``
--@ i intake_i value=recorded
select status from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "tokens", "input": 5, "ids": ["resp_0123456789abcdef"]}]');
--@ i intake_i value=repeated must
select status from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "tokens", "input": 5, "ids": ["resp_0123456789abcdef"]}]');
