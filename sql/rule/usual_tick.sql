-- Ticks that take far longer than is usual for their agent: told before the limit that
-- holds for all, as a notice.

create or replace function agentdb._unusual_tick (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'run', r.run_id::text),
    t.seconds,
    jsonb_build_object(
      'summary', format('tick %s of %s has run for %s; usual is %s', r.run_id,
        a.agent_name, agentdb._span(as_of - r.started_at),
        agentdb._span(u.usual * interval '1 second')),
      'severity', 'info',
      'policy', p.policy_name,
      'setting', 'long_tick_spreads',
      'threshold', round(m.seconds),
      'learned', agentdb._learned(u.days)
    )
  from agentdb._open_run(as_of) as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral (
    select extract(epoch from as_of - r.started_at)::double precision as seconds,
      extract(epoch from case when r.tick_max is null then p.long_tick_after
        else least(r.tick_max, p.max_long_call) end) as most
  ) as t
  -- Six spreads are a minute at least.  Of what is younger, or shorter than most ticks
  -- of whatever hour, the hour is not looked up.
  left join agentdb.baseline as b
    on b.agent_id = a.agent_id
    and b.measure = 'tick'
    and b.day_at = date_bin('1 day', as_of, 'epoch')
  cross join lateral agentdb._usual_at(
    case when t.seconds > greatest(60, b.usual[1]) then a.agent_id end, 'tick',
    r.started_at) as u
  cross join lateral (
    select greatest(u.usual + p.long_tick_spreads * u.spread, 3 * u.usual) as seconds
  ) as m
  where r.tick_interval is not null
    and p.long_tick_spreads is not null
    and t.seconds <= t.most
    and u.samples >= 20
    and u.days >= 7
    and t.seconds > m.seconds
    and not agentdb._is_paused(r.run_id, as_of);
end;

comment on function agentdb._unusual_tick (timestamptz) is
  'Ticks within their limit that take policy.long_tick_spreads more, and three times '
  'as long, as is usual at that hour.';
