-- Rules about runs: silence, ticks that did not come, ticks that do not end.

create or replace function agentdb._is_paused (run bigint, as_of timestamptz)
  returns boolean
  language sql
  stable
  return exists (
    select from agentdb.run_stop as s
    where s.run_id = run
      and s.stopped_at <= as_of
  );

comment on function agentdb._is_paused (bigint, timestamptz) is
  'Tells whether a run had been stopped by a moment.';


create or replace function agentdb.rule_no_progress (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'run', r.run_id::text),
    extract(epoch from as_of - s.since)::double precision,
    jsonb_build_object(
      'summary', format(
        'run %s of %s has made no progress for %s; the limit is %s',
        r.run_id, a.agent_name, agentdb._span(as_of - s.since),
        agentdb._span(p.no_progress_after)
      ),
      'policy', p.policy_name,
      'threshold', extract(epoch from p.no_progress_after)
    )
  from agentdb.run as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  left join agentdb.run_activity as v
    on v.run_id = r.run_id
    and v.last_progress_at <= as_of
  cross join lateral (
    -- The rolled-up time is a lower bound; the log is asked only where that is too old.
    select case
      when v.last_progress_at >= as_of - p.no_progress_after then v.last_progress_at
      else agentdb._last_progress(
        r.run_id, coalesce(v.last_progress_at, r.started_at), as_of)
    end as since
  ) as s
  where r.started_at < as_of - p.no_progress_after
    and (r.ended_at is null or r.ended_at > as_of)
    -- Paused or held on purpose is not stuck.
    and (r.held_until_at is null or r.held_until_at < as_of)
    and not agentdb._is_paused(r.run_id, as_of)
    and s.since < as_of - p.no_progress_after;
end;

comment on function agentdb.rule_no_progress (timestamptz) is
  'Open runs without a logged step for policy.no_progress_after.';


create or replace view agentdb.no_progress as
  select r.labels, r.value, r.annotations
  from agentdb.rule_no_progress(statement_timestamp()) as r;

comment on view agentdb.no_progress is
  'Rule: open runs that have reached no step for too long.';


create or replace function agentdb.rule_missed_tick (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name),
    extract(epoch from as_of - r.started_at - r.tick_interval)::double precision,
    jsonb_build_object(
      'summary', format(
        'the tick of %s is %s late; it comes every %s',
        a.agent_name, agentdb._span(as_of - r.started_at - r.tick_interval),
        agentdb._span(r.tick_interval)
      ),
      'policy', p.policy_name,
      'threshold', extract(epoch from p.missed_tick_grace),
      'run', r.run_id
    )
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral (
    select l.run_id, l.started_at, l.tick_interval
    from agentdb.run as l
    where l.agent_id = a.agent_id
      and l.started_at <= as_of
    order by l.started_at desc
    limit 1
  ) as r
  where r.started_at + r.tick_interval + p.missed_tick_grace < as_of
    and not exists (
      select from agentdb.agent_stop as s
      where s.agent_id = a.agent_id and s.stopped_at <= as_of
    );
end;

comment on function agentdb.rule_missed_tick (timestamptz) is
  'Agents whose last run promised another after tick_interval, which did not begin '
  'within policy.missed_tick_grace.';


create or replace view agentdb.missed_tick as
  select r.labels, r.value, r.annotations
  from agentdb.rule_missed_tick(statement_timestamp()) as r;

comment on view agentdb.missed_tick is
  'Rule: agents whose next tick is overdue.';


create or replace function agentdb.rule_long_tick (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'run', r.run_id::text),
    extract(epoch from as_of - r.started_at)::double precision,
    jsonb_build_object(
      'summary', format(
        'tick %s of %s has run for %s; the limit is %s',
        r.run_id, a.agent_name, agentdb._span(as_of - r.started_at),
        agentdb._span(p.long_tick_after)
      ),
      'policy', p.policy_name,
      'threshold', extract(epoch from p.long_tick_after)
    )
  from agentdb.run as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where r.tick_interval is not null
    and not agentdb._is_paused(r.run_id, as_of)
    and r.started_at < as_of - p.long_tick_after
    and (r.ended_at is null or r.ended_at > as_of);
end;

comment on function agentdb.rule_long_tick (timestamptz) is
  'Runs with a tick interval that are open for longer than policy.long_tick_after.';


create or replace view agentdb.long_tick as
  select r.labels, r.value, r.annotations
  from agentdb.rule_long_tick(statement_timestamp()) as r;

comment on view agentdb.long_tick is
  'Rule: ticks that take too long and block or overlap the next.';
