-- What is usual for an agent, hour by hour: the median, and how far half of the samples
-- are from it.  Up to half of them can be wrong without moving either (F. Hampel, The
-- influence curve and its role in robust estimation, 1974).  1.4826 times the median
-- absolute deviation is the standard deviation where samples are normal.  It is 0 where
-- most samples are equal, so it has a floor: a tenth of the median, and an amount below
-- which a difference is none.
--
-- A baseline is for a UTC day, of the 28 whole days before it: what goes on today is no
-- part of it.  Hours are UTC: where clocks change, work that keeps local time is an
-- hour off until half of the samples are new, which the spread of its hours bears.

-- Four of a weekday are in 28 days; three are the fewest that have a middle.
create or replace function agentdb._hour_sample (agent bigint, day_at timestamptz)
  returns table (measure text, slot integer, amount double precision)
  language sql
  stable
begin atomic
  with sample as materialized (
    select m.measure, m.amount,
      extract(hour from m.hour_at at time zone 'UTC')::integer as hour,
      extract(isodow from m.hour_at at time zone 'UTC')
        = extract(isodow from day_at at time zone 'UTC') as same_weekday
    from agentdb._measured(agent, day_at - interval '672 hours', day_at) as m
  ),
  counted as (
    select s.measure, s.hour, count(*) as samples,
      count(*) filter (where s.same_weekday) as of_weekday
    from sample as s
    group by 1, 2
  )
  select s.measure, -1, s.amount
  from sample as s
  union all
  select s.measure, s.hour, s.amount
  from sample as s
  join counted as c on c.measure = s.measure and c.hour = s.hour
  cross join agentdb._known_days(agent, day_at) as k (days)
  where k.days >= 7
    and c.samples >= 3
    and (s.same_weekday or k.days < 28 or c.of_weekday < 3);
end;

comment on function agentdb._hour_sample (bigint, timestamptz) is
  'The samples that tell what is usual for an agent on a day: all (slot -1), and those '
  'of each hour of the day, from 28 days on of that weekday where there are enough.';


create or replace function agentdb._baseline (agent bigint, day_at timestamptz)
  returns table (
    measure text, days integer, samples bigint, usual double precision[],
    spread double precision[]
  )
  language sql
  stable
begin atomic
  with sample as materialized (
    select s.measure, s.slot, s.amount
    from agentdb._hour_sample(agent, day_at) as s
  ),
  middle as (
    select s.measure, s.slot, count(*) as samples,
      percentile_cont(0.5) within group (order by s.amount) as median
    from sample as s
    group by 1, 2
  ),
  slot as (
    select m.measure, m.slot, m.samples, m.median,
      greatest(
        1.4826 * percentile_cont(0.5) within group (order by abs(s.amount - m.median)),
        0.1 * m.median,
        case m.measure when 'tokens' then 1000 when 'tick' then 10 else 1 end
      ) as spread
    from middle as m
    join sample as s on s.measure = m.measure and s.slot = m.slot
    group by 1, 2, 3, 4
  )
  select p.measure, agentdb._known_days(agent, day_at), p.samples,
    array_agg(s.median order by h.slot), array_agg(s.spread order by h.slot)
  from slot as p
  cross join generate_series(-1, 23) as h (slot)
  left join slot as s on s.measure = p.measure and s.slot = h.slot
  where p.slot = -1
  group by 1, 3;
end;

comment on function agentdb._baseline (bigint, timestamptz) is
  'What is usual for an agent at each hour of a UTC day, by the 28 days before it; in '
  'the arrays all hours come first, then 0 to 23.';


-- Once a day for each agent; the calls in between find nothing to do.  So many at a
-- time that a runner waits for the answer, each with the same chance to be among them.
create or replace function agentdb._learn_baselines (at timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.baseline as b (
    agent_id, day_at, measure, days, samples, usual, spread
  )
  select a.agent_id, d.day_at, n.measure, n.days, n.samples, n.usual, n.spread
  from (
    select g.agent_id
    from agentdb.agent as g
    where not exists (
      select from agentdb.baseline as o
      where o.agent_id = g.agent_id and o.day_at = date_bin('1 day', at, 'epoch'))
    order by random()
    limit 5000
  ) as a
  cross join (select date_bin('1 day', at, 'epoch') as day_at) as d
  cross join lateral agentdb._baseline(a.agent_id, d.day_at) as n
  on conflict (agent_id, measure) do update
  set day_at = excluded.day_at,
      days = excluded.days,
      samples = excluded.samples,
      usual = excluded.usual,
      spread = excluded.spread;
  delete from agentdb.baseline as b where b.day_at <> date_bin('1 day', at, 'epoch');
$$;

comment on function agentdb._learn_baselines (timestamptz) is
  'Learns what is usual today for each agent that has not been looked at today.';


create or replace function agentdb._usual_at (
  agent bigint,
  of_measure text,
  at timestamptz
)
  returns table (
    days integer, samples bigint, usual double precision, spread double precision
  )
  language sql
  stable
begin atomic
  select n.days, n.samples, coalesce(n.usual[h.place], n.usual[1]),
    coalesce(n.spread[h.place], n.spread[1])
  from (
    select b.days, b.samples, b.usual, b.spread
    from agentdb.baseline as b
    where b.agent_id = agent
      and b.measure = of_measure
      and b.day_at = date_bin('1 day', at, 'epoch')
    union all
    select c.days, c.samples, c.usual, c.spread
    from agentdb._baseline(agent, date_bin('1 day', at, 'epoch')) as c
    where agent is not null
      -- Today's is learned within the hour: rules do not wait for it.
      and date_bin('1 day', at, 'epoch')
        < date_bin('1 day', statement_timestamp(), 'epoch')
      and c.measure = of_measure
      and not exists (
        select from agentdb.baseline as b
        where b.agent_id = agent and b.day_at = date_bin('1 day', at, 'epoch')
      )
  ) as n
  cross join (
    select extract(hour from at at time zone 'UTC')::integer + 2 as place
  ) as h;
end;

comment on function agentdb._usual_at (bigint, text, timestamptz) is
  'What is usual for an agent at a moment: as learned that day, or reckoned anew.';


create or replace view agentdb.agent_baseline as
  select a.agent_name, m.measure, agentdb._learned(coalesce(u.days,
      agentdb._known_days(a.agent_id, statement_timestamp()))) as learned,
    u.samples, u.usual, u.spread
  from agentdb.agent as a
  cross join (
    values ('tokens'), ('calls'), ('errors'), ('tick')
  ) as m (measure)
  left join lateral agentdb._usual_at(a.agent_id, m.measure, statement_timestamp())
    as u on true;

comment on view agentdb.agent_baseline is
  'What is usual for each agent at this hour, and how much is known of it.';
comment on column agentdb.agent_baseline.agent_name is
  'The agent.';
comment on column agentdb.agent_baseline.measure is
  'tokens (weighted), calls, errors: an hour in which it works; tick: seconds of one.';
comment on column agentdb.agent_baseline.learned is
  'How far it has been learned, such as learning, 3 of 7 days.';
comment on column agentdb.agent_baseline.samples is
  'Hours, or ticks, in the last 28 days; NULL where there are none.';
comment on column agentdb.agent_baseline.usual is
  'The median at this hour (UTC), of all hours until hours are known.';
comment on column agentdb.agent_baseline.spread is
  'How far from it is still usual.';
