-- The rule about slow growth, which no comparison with yesterday sees.

-- Below these a day is too small to matter, as for the floors of other rules.
create or replace function agentdb._drifting (as_of timestamptz)
  returns table (
    agent_id bigint, measure text, days integer, growth double precision,
    first_level double precision, last_level double precision, least_share numeric
  )
  language sql
  stable
begin atomic
  select distinct on (d.agent_id, d.measure)
    d.agent_id, d.measure, d.days, d.growth, d.levels[1], d.levels[d.days],
    p.slow_drift_share::numeric
  from agentdb.drift as d
  join agentdb.agent as a on a.agent_id = d.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  -- Over a weekend it stays what it was.
  where d.day_at >= date_bin('1 day', as_of, 'epoch') - interval '72 hours'
    and d.day_at < date_bin('1 day', as_of, 'epoch')
    and d.growth >= 1 + p.slow_drift_share
    -- All pairs of seven days but one, or four of five of a fortnight: by chance alone
    -- one in 700 such rows does.
    and d.rising >= case d.days when 7 then 0.9 else 0.6 end
    -- A step is something else, and stays below what an alert of rates takes.
    and d.jump <= 0.6
    and coalesce(d.week_share >= 1 + 4 * p.slow_drift_share, true)
    and d.levels[d.days] >= case d.measure
      when 'tokens' then p.token_rate_floor
      when 'calls' then 100
      when 'errors' then 20
      else 60
    end
    and not exists (
      select from agentdb.agent_day as n
      where n.agent_id = d.agent_id
        and n.day_at > d.day_at
        and n.day_at < date_bin('1 day', as_of, 'epoch')
    )
  order by d.agent_id, d.measure, d.days;
end;

comment on function agentdb._drifting (timestamptz) is
  'What grew by policy.slow_drift_share a day over the last 7 or 14 active days, '
  'without a step and against the days before, where these are known.';


create or replace function agentdb.rule_slow_drift (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'measure', d.measure),
    d.growth - 1,
    jsonb_build_object(
      'summary', format(
        '%s: %s grow by %s %% a day, from %s to %s within %s active days', a.agent_name,
        case d.measure
          when 'tokens' then 'tokens (as they are paid for)'
          when 'tick' then 'seconds of a tick'
          else d.measure end,
        round(100 * (d.growth - 1)::numeric),
        round(d.first_level::numeric), round(d.last_level::numeric), d.days
      ),
      'policy', a.policy_name,
      'setting', 'slow_drift_share',
      'threshold', d.least_share,
      'learned', agentdb._learned(agentdb._known_days(a.agent_id, as_of))
    )
  from agentdb._drifting(as_of) as d
  join agentdb.agent as a on a.agent_id = d.agent_id;
end;

comment on function agentdb.rule_slow_drift (timestamptz) is
  'Agents that use or fail more from day to day, by policy.slow_drift_share.';


create or replace view agentdb.slow_drift as
  select r.labels, r.value, r.annotations
  from agentdb.rule_slow_drift(statement_timestamp()) as r;

comment on view agentdb.slow_drift is
  'Rule: agents whose tokens, calls, errors or ticks grow from day to day.';

select agentdb._declare_rule(
  rule_name => 'slow_drift',
  severity => 'warning',
  health => 'drifting',
  why => 'What grows by a tenth a day is twice as much in a week, and no day of it is '
          'unlike the one before.',
  evidence => $$
    select d.day_at, d.tokens, d.calls, d.errors, d.tick
    from agentdb.agent_day as d
    join agentdb.agent as a on a.agent_id = d.agent_id
    where a.agent_name = :labels ->> 'agent'
      and d.day_at < :at
    order by d.day_at desc
    limit 10
  $$,
  ends_when => 'a day breaks the rise',
  remedy => $$
    See what it does more of; a prompt, a list or a table that grows is the usual cause.
    agentdb why {agent}
    agentdb runs --agent {agent}
  $$,
  group_by => '{rule,agent}',
  keep_firing => '1 day',
  evaluate_every => '5 minutes'
);
