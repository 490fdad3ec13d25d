-- An emitter's clock says when its tokens were spent.
-- Mutant: _recorded_at: `case recorded_by when 'import' then happened_at else clock_timestamp() end` -> `coalesce(happened_at, clock_timestamp())`
--@ i intake_i value=recorded
select status from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "tokens", "input": 5, "at": "2026-11-20T12:00:00Z"}]');
--@ p postgres value=True must
select recorded_at > clock_timestamp() - interval '1 hour' from agentdb.token_log where recorded_by = 'otlp';
