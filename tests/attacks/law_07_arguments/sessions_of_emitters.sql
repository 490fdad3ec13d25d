-- An emitter makes up conversations, each of which would be a run.
-- Mutant: _too_many_sessions: `where v_agent.open + n.nth > 1000` -> `where false`
--@ i intake_i value=1000 must
select count(*) from agentdb.record_events((
  select jsonb_agg(jsonb_build_object('kind', 'call', 'agent', 'a', 'proven', true,
    'conversation', 'c' || g, 'tool', 't'))
  from generate_series(1, 1003) as g)) as r where r.status = 'recorded';
