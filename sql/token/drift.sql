-- Slow growth: each day is compared with the days before it, so that nothing can become
-- normal by growing slowly.  Days that are over are written once and read from then on.

-- The slope is the median of the slopes of all pairs (H. Theil, 1950; P. Sen, 1968),
-- and how many pairs rise is Kendall's tau: no single day moves either much.
create or replace function agentdb._trend (levels double precision[])
  returns table (
    growth double precision, rising double precision, jump double precision
  )
  language sql
  immutable
begin atomic
  select
    exp(percentile_cont(0.5) within group (
      order by (ln(y.level) - ln(x.level)) / (y.day - x.day))),
    avg(sign(y.level - x.level)),
    max(ln(y.level) - ln(x.level)) filter (where y.day = x.day + 1)
      / nullif(ln(levels[cardinality(levels)]) - ln(levels[1]), 0)
  from unnest(levels) with ordinality as x (level, day)
  join unnest(levels) with ordinality as y (level, day) on y.day > x.day;
end;

comment on function agentdb._trend (double precision[]) is
  'How amounts, all above 0, go from day to day: the factor of a day, the share of '
  'pairs that rise less those that fall, the part of one step in all of the growth.';


create or replace function agentdb._active_day (agent bigint, until timestamptz)
  returns table (measure text, place bigint, amount double precision)
  language sql
  stable
begin atomic
  select m.measure, row_number() over (partition by m.measure order by d.day_at desc),
    m.amount
  from agentdb.agent_day as d
  cross join lateral (
    values ('tokens', d.tokens), ('calls', d.calls), ('errors', d.errors),
      ('tick', d.tick)
  ) as m (measure, amount)
  where d.agent_id = agent
    and d.day_at <= until
    and d.day_at > until - interval '672 hours'
    and m.amount > 0
    and m.amount < 'infinity';
end;

comment on function agentdb._active_day (bigint, timestamptz) is
  'The days of the last 28 on which something was measured of an agent, the newest has '
  'place 1.';


-- Seven days, as many as a week has, find what is steady from day to day; two weeks
-- what is not.  As many days before them tell growth from the shape of a week.
create or replace function agentdb._drift_of (agent bigint, until timestamptz)
  returns table (
    measure text, days integer, growth double precision, rising double precision,
    jump double precision, week_share double precision, levels double precision[]
  )
  language sql
  stable
begin atomic
  with active as materialized (
    select v.measure, v.place, v.amount
    from agentdb._active_day(agent, until) as v
  )
  select d.measure, d.days, t.growth, t.rising, t.jump,
    case when d.before_days >= 5 then d.median / d.before end, d.levels
  from (
    select
      v.measure, w.days,
      array_agg(v.amount order by v.place desc) filter (where v.place <= w.days)
        as levels,
      percentile_cont(0.5) within group (order by v.amount)
        filter (where v.place <= w.days) as median,
      percentile_cont(0.5) within group (order by v.amount)
        filter (where v.place > w.days) as before,
      count(*) filter (where v.place > w.days) as before_days
    from active as v
    cross join (values (7), (14)) as w (days)
    where v.place <= 2 * w.days
    group by v.measure, w.days
  ) as d
  cross join lateral agentdb._trend(d.levels) as t
  where cardinality(d.levels) = d.days
    and d.levels[d.days] > d.levels[1]
    and t.growth > 1
    and t.rising >= 0.5;
end;

comment on function agentdb._drift_of (bigint, timestamptz) is
  'The measures of an agent that rose over its 7 or 14 active days up to a day.';


-- Ten minutes for what the roll-up has not counted yet.
create or replace function agentdb._learn_days (at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_end timestamptz := date_bin('1 day', at - interval '10 minutes', 'epoch');
  v_day timestamptz;
begin
  for v_day in
    select d.at
    from generate_series(
      greatest(
        (select max(n.day_at) + interval '24 hours' from agentdb.agent_day as n),
        v_end - interval '720 hours'),
      v_end - interval '24 hours', interval '24 hours') as d (at)
    order by 1
  loop
    insert into agentdb.agent_day (agent_id, day_at, tokens, calls, errors, tick)
    select a.agent_id, v_day,
      coalesce(sum(m.amount) filter (where m.measure = 'tokens'), 0),
      coalesce(sum(m.amount) filter (where m.measure = 'calls'), 0),
      coalesce(sum(m.amount) filter (where m.measure = 'errors'), 0),
      percentile_cont(0.5) within group (order by m.amount)
        filter (where m.measure = 'tick')
    from agentdb.agent as a
    cross join lateral agentdb._measured(a.agent_id, v_day,
      v_day + interval '24 hours') as m
    group by a.agent_id
    on conflict (agent_id, day_at) do nothing;
    insert into agentdb.drift (
      day_at, agent_id, measure, days, growth, rising, jump, week_share, levels
    )
    select v_day, d.agent_id, f.measure, f.days, f.growth, f.rising, f.jump,
      f.week_share, f.levels
    from agentdb.agent_day as d
    cross join lateral agentdb._drift_of(d.agent_id, v_day) as f
    where d.day_at = v_day
    on conflict (day_at, agent_id, measure, days) do nothing;
    -- The other days are the next call's.
    exit when clock_timestamp() > _learn_days.at + interval '20 seconds';
  end loop;
end;
$$;

comment on function agentdb._learn_days (timestamptz) is
  'Writes what each agent did on the days that are over and not written yet, and which '
  'measures of it rise.';
