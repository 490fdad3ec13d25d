-- An emitter begins calls and ends none.
-- Mutant: _too_many_begun: `where f.calls + b.nth > 1000` -> `where false`
--@ i intake_i value=1000 must
select count(*) from agentdb.record_events((
  select jsonb_agg(jsonb_build_object('kind', 'begin', 'agent', 'a', 'proven', true,
    'conversation', 'c', 'tool', 't', 'call_id', 'x' || g))
  from generate_series(1, 1003) as g)) as r where r.status = 'recorded';
