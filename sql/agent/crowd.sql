-- Whether a session that started and bound no run could be another run's than the only
-- one that is alive now: whoever was there a moment ago may still be connected.

-- What crashed is closed later than it died, or not yet: its last word counts.
create or replace function agentdb._recently_alive ()
  returns table (
    run_id bigint, outcome text, alone boolean, started_at timestamptz,
    lived_until timestamptz
  )
  language sql
  stable
begin atomic
  with silence as materialized (
    select statement_timestamp() - agentdb._run_silence(session_user) as began_at
  )
  select r.run_id, r.outcome, r.alone, r.started_at, l.lived_until
  from silence as s
  cross join lateral (
    select o.run_id, o.outcome, o.alone, o.started_at, o.ended_at
    from agentdb.run as o
    where o.role_name = session_user and not o.pooled and o.ended_at is null
    union all
    select o.run_id, o.outcome, o.alone, o.started_at, o.ended_at
    from agentdb.run as o
    where o.role_name = session_user and not o.pooled and o.ended_at > s.began_at
  ) as r
  cross join lateral (
    select case
      when coalesce(r.outcome, 'crashed') = 'crashed'
        then agentdb._last_event_at(r.run_id, r.started_at)
      else r.ended_at
    end as lived_until
  ) as l
  where l.lived_until > s.began_at;
end;

comment on function agentdb._recently_alive () is
  'The runs of the role that were alive within policy.run_silence.';


-- Who was replaced lives on, unless it has come to the new run itself.
create or replace function agentdb._has_survivor (
  replaced bigint,
  run bigint,
  but integer
)
  returns boolean
  language sql
  stable
  return exists (
    select from agentdb.run_session as s
    where s.run_id = replaced
      and s.pid is distinct from but
      and not exists (
        select from agentdb.run_session as j
        where j.run_id = run
          and (j.pid, j.backend_started_at, j.server_started_at)
            = (s.pid, s.backend_started_at, s.server_started_at)));

comment on function agentdb._has_survivor (bigint, bigint, integer) is
  'Tells whether a session, but one, of a replaced run does not belong to another run.';


-- Two were alive at once: another beside this one, which began at a moment, or two
-- before it.
create or replace function agentdb._is_crowded (
  run bigint,
  since timestamptz,
  starting boolean default false
)
  returns boolean
  language sql
  stable
  return exists (
    select from agentdb.run_stop as k
    where k.role_name = session_user
      and k.kind = 'killed'
      and k.stopped_at > clock_timestamp() - agentdb._run_silence(session_user)
  ) or exists (
    select
    from (
      select r.run_id, r.outcome, r.lived_until,
        not r.alone and r.started_at < max(r.lived_until) over (
          order by r.run_id rows between unbounded preceding and 1 preceding
        ) as overlapped
      from agentdb._recently_alive() as r
      where r.run_id <> run
    ) as o
    where o.lived_until > since
      or o.overlapped
      or o.outcome = 'replaced' and agentdb._has_survivor(
        o.run_id, run, case when starting then pg_backend_pid() end)
  );

comment on function agentdb._is_crowded (bigint, timestamptz, boolean) is
  'Tells whether the role had more than one run alive, the one that began at a moment '
  'and others, or one was killed, within policy.run_silence.';
