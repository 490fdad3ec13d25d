-- Whoever proves nothing fills the disk.
-- Mutant: _record_unproven: `where c.events - e.many + e.nth <= 10000` -> `where true`
--@ i intake_i value=7000
select count(*) from agentdb.record_events((
  select jsonb_agg(jsonb_build_object('kind', 'call', 'agent', 'a', 'tool', 't'))
  from generate_series(1, 7000))) as r where r.status = 'unproven';
--@ i intake_i value=7000
select count(*) from agentdb.record_events((
  select jsonb_agg(jsonb_build_object('kind', 'call', 'agent', 'a', 'tool', 't'))
  from generate_series(1, 7000))) as r where r.status = 'unproven';
--@ p postgres value=10000 must
select count(*) from agentdb.unproven_log;
