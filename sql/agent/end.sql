-- The one way in which a run ends.

create or replace function agentdb._end_run (run bigint, outcome text, reason text)
  returns boolean
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.run as r
  set ended_at = clock_timestamp(),
      outcome = _end_run.outcome,
      end_reason = agentdb._clean_text(_end_run.reason, 500)
  where r.run_id in (
    select o.run_id from agentdb.run as o
    where o.run_id = run and o.ended_at is null
    for no key update skip locked
  );
  return found;
end;
$$;

comment on function agentdb._end_run (bigint, text, text) is
  'Ends a run, unless it has ended or is just being changed.';
