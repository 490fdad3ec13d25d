-- What an agent did, hour by hour: the one place that says what is measured.  Hours in
-- which it did nothing are no samples: idle time says nothing about work.

create or replace function agentdb._measured (
  agent bigint,
  since timestamptz,
  until timestamptz
)
  returns table (measure text, hour_at timestamptz, amount double precision)
  language sql
  stable
begin atomic
  select 'tokens', date_bin('1 hour', h.half_hour_at, 'epoch'), sum(w.tokens)
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  join agentdb.token_half_hour as h on h.agent_id = a.agent_id
  cross join lateral (
    select agentdb._weight(h.input_tokens, h.cached_input_tokens, h.output_tokens,
      p.cached_input_weight, p.output_weight) as tokens
  ) as w
  where a.agent_id = agent
    and h.half_hour_at >= since
    and h.half_hour_at < until
    and w.tokens > 0
  group by 2
  union all
  select m.measure, c.hour_at, m.amount::double precision
  from agentdb.call_hour as c
  cross join lateral (
    values ('calls', c.calls), ('errors', c.errors)
  ) as m (measure, amount)
  where c.agent_id = agent
    and c.hour_at >= since
    and c.hour_at < until
  union all
  -- Of a tick that failed or was ended nobody knows how long it would have taken.
  select 'tick', date_bin('1 hour', r.started_at, 'epoch'),
    extract(epoch from r.ended_at - r.started_at)::double precision
  from agentdb.run as r
  where r.agent_id = agent
    and r.started_at >= since
    and r.started_at < until
    and r.ended_at < until
    and r.ended_at >= r.started_at
    and r.tick_interval is not null
    and r.outcome = 'succeeded';
end;

comment on function agentdb._measured (bigint, timestamptz, timestamptz) is
  'Weighted tokens, calls and errors of an agent in each hour in which it did '
  'something, and the seconds of each of its ticks.';


-- A day long over is known by agent_day alone, which is kept longer than hours.
create or replace function agentdb._known_days (agent bigint, at timestamptz)
  returns integer
  language sql
  stable
  return (
    select greatest(0, coalesce(extract(epoch from
      date_bin('1 day', at, 'epoch') - date_bin('1 day', min(f.first_at), 'epoch'))
      / 86400, 0))::integer
    from (
      select min(d.day_at) from agentdb.agent_day as d where d.agent_id = agent
      union all
      select min(h.half_hour_at) from agentdb.token_half_hour as h
      where h.agent_id = agent
      union all
      select min(c.hour_at) from agentdb.call_hour as c where c.agent_id = agent
    ) as f (first_at)
  );

comment on function agentdb._known_days (bigint, timestamptz) is
  'How many UTC days were over at a moment since the first on which an agent did '
  'something.';


create or replace function agentdb._learned (days integer)
  returns text
  language sql
  immutable
  parallel safe
  return case
    when days < 7 then format('learning, %s of 7 days', days)
    when days < 28 then format('knows hours of the day, %s of 28 days', days)
    else 'knows hours of each weekday'
  end;

comment on function agentdb._learned (integer) is
  'What is known of an agent after so many days, in words.';
