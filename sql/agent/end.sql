-- The end of a run, in whatever way it comes.  What the run held is released by a
-- trigger (stop/release.sql), so that no way around this function leaves anything.

-- Waits for nobody: who must not miss the end locks the row of the run first.
create or replace function agentdb._end_run (
  run bigint,
  outcome text,
  reason text default null,
  summary text default null,
  out ended_at timestamptz,
  out released jsonb
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.run as r
  set ended_at = clock_timestamp(),
      outcome = _end_run.outcome,
      end_reason = agentdb._clean_text(_end_run.reason, 500),
      summary = agentdb._clean_text(_end_run.summary, 4000),
      -- Whoever has ended waits for nothing any more.
      held_until_at = case
        when r.held_until_at > clock_timestamp() then clock_timestamp()
        else r.held_until_at
      end
  where r.run_id in (
    select o.run_id
    from agentdb.run as o
    where o.run_id = _end_run.run and o.ended_at is null
    for no key update skip locked
  )
  returning r.ended_at, r.released into _end_run.ended_at, _end_run.released;
end;
$$;

comment on function agentdb._end_run (bigint, text, text, text) is
  'Ends an open run and says when and what that released; NULL where it has ended, or '
  'somebody else is just changing it.';
