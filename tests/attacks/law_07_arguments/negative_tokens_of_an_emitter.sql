-- An emitter gives tokens back.
-- Mutant: _count_of: `else -1` -> `else 0`
--@ i intake_i value=refused must
select status from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "tokens", "input": -5, "output": 3}]');
