-- What takes in events sends more than a statement should.
-- Mutant: _check_batch: `jsonb_array_length(events) > 10000 or` -> ``
--@ i intake_i is=ZA004 must
select count(*) from agentdb.record_events((
  select jsonb_agg(0) from generate_series(1, 10001)));
