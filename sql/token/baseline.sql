-- What is normal for an agent: how busy its active half hours are, and at which hours
-- of the week it is active at all.  Idle time says nothing about how much an agent uses
-- when it works, and makes an average of office hours or of a nightly batch too low.

create or replace function agentdb._hour_of_week (at timestamptz)
  returns integer
  language sql
  immutable
  parallel safe
  return extract(hour from at at time zone 'UTC')::integer
    + case when extract(isodow from at at time zone 'UTC') > 5 then 24 else 0 end;

comment on function agentdb._hour_of_week (timestamptz) is
  'The hour of the day, 0 to 23 on weekdays and 24 to 47 at weekends, UTC.';


-- The last day is left out: what goes on now must not become normal while it lasts.
create or replace function agentdb._token_normal (agent bigint, as_of timestamptz)
  returns table (
    active_days integer, bound double precision, hours bigint, days integer
  )
  language sql
  stable
begin atomic
  select
    count(distinct date_bin('1 day', h.half_hour_at, 'epoch'))::integer,
    case
      when count(*) < 200 then p.token_rate_margin_few * max(w.tokens)
      else p.token_rate_margin
        * percentile_disc(p.token_rate_quantile) within group (order by w.tokens)
    end,
    bit_or(1::bigint << agentdb._hour_of_week(h.half_hour_at)),
    agentdb._known_days(agent, as_of)
  from agentdb.agent as a
  join agentdb.policy as p
    on p.policy_name = a.policy_name
    and p.token_rate_quantile is not null
  join agentdb.token_half_hour as h on h.agent_id = a.agent_id
  cross join lateral (
    select agentdb._weight(h.input_tokens, h.cached_input_tokens, h.output_tokens,
      p.cached_input_weight, p.output_weight) as tokens
  ) as w
  where a.agent_id = agent
    and h.half_hour_at >= as_of - p.token_rate_baseline - interval '1 day'
    and h.half_hour_at < as_of - interval '1 day'
    and w.tokens > 0
  group by p.policy_name;
end;

comment on function agentdb._token_normal (bigint, timestamptz) is
  'What was normal for an agent at a moment; no row where nothing is known.';


create or replace function agentdb.refresh_normal ()
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_at timestamptz := clock_timestamp();
  v_count bigint;
begin
  perform agentdb._learn_days(v_at);
  perform agentdb._learn_baselines(v_at);
  insert into agentdb.token_normal as n (
    agent_id, refreshed_at, active_days, bound, hours, days
  )
  select a.agent_id, v_at, t.active_days, t.bound, t.hours, t.days
  from agentdb.agent as a
  cross join lateral agentdb._token_normal(a.agent_id, v_at) as t
  on conflict (agent_id) do update
  set refreshed_at = excluded.refreshed_at,
      active_days = excluded.active_days,
      bound = excluded.bound,
      hours = excluded.hours,
      days = excluded.days;
  get diagnostics v_count = row_count;
  delete from agentdb.token_normal as n where n.refreshed_at < v_at;
  return v_count;
end;
$$;

comment on function agentdb.refresh_normal () is
  'Learns anew what is normal for each agent, for the rules to read; a runner calls '
  'it every hour; returns for how many agents.';


-- A moment of the past is judged by what was normal then.
create or replace function agentdb._normal_at (agent bigint, as_of timestamptz)
  returns table (
    active_days integer, bound double precision, hours bigint, days integer
  )
  language sql
  stable
begin atomic
  select n.active_days, n.bound, n.hours, n.days
  from agentdb.token_normal as n
  where n.agent_id = agent
    and n.refreshed_at <= as_of
  union all
  select t.active_days, t.bound, t.hours, t.days
  from agentdb._token_normal(agent, as_of) as t
  where not exists (
    select from agentdb.token_normal as n
    where n.agent_id = agent and n.refreshed_at <= as_of
  );
end;

comment on function agentdb._normal_at (bigint, timestamptz) is
  'What is normal for an agent: as last refreshed, or reckoned for a moment before.';
