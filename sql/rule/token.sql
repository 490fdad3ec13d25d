-- Rules about tokens.  Each rule is a function of a moment, so that it can be asked
-- about any hour of the past, and a view at the present time, which alert_rule names.
-- A row is one alert: labels say which, value how bad, annotations what a person reads.
-- Thresholds are columns of policy, each with its reason in its comment.

-- The playbook's average, for policies with a token_rate_factor: whole half hours, so
-- that a poll costs the same however long the history.
create or replace function agentdb._token_baseline (agent bigint, as_of timestamptz)
  returns table (tokens_per_window double precision, input_per_window double precision)
  language sql
  stable
begin atomic
  select
    sum(agentdb._weight(h.input_tokens, h.cached_input_tokens, h.output_tokens,
        p.cached_input_weight, p.output_weight))
      * extract(epoch from p.token_rate_window)::double precision
      / extract(epoch from as_of - p.token_rate_window - min(h.half_hour_at)),
    sum(h.input_tokens + h.cached_input_tokens)
      * extract(epoch from p.token_rate_window)::double precision
      / extract(epoch from as_of - p.token_rate_window - min(h.half_hour_at))
  from agentdb.agent as a
  join agentdb.policy as p
    on p.policy_name = a.policy_name
    and p.token_rate_factor is not null
  join agentdb.token_half_hour as h on h.agent_id = a.agent_id
  where a.agent_id = agent
    and h.half_hour_at >= as_of - p.token_rate_baseline
    and h.half_hour_at + interval '30 minutes' <= as_of - p.token_rate_window
  group by p.policy_name
  having as_of - min(h.half_hour_at) >= p.token_rate_min_history;
end;

comment on function agentdb._token_baseline (bigint, timestamptz) is
  'The average tokens of an agent in a policy window over the baseline, if it has '
  'enough history.';


create or replace function agentdb._token_use (as_of timestamptz, literal boolean)
  returns table (
    agent_id bigint, tokens_per_hour double precision,
    tokens_in_window double precision, input_in_window bigint
  )
  language sql
  stable
begin atomic
  with watched as materialized (
    select a.agent_id, p.token_rate_window as span, p.cached_input_weight,
      p.output_weight
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    where not literal
      or p.token_rate_factor is not null
  )
  select w.agent_id,
    agentdb._weight(h.input_tokens, h.cached_input_tokens, h.output_tokens,
      w.cached_input_weight, w.output_weight),
    coalesce(agentdb._weight(u.input_tokens, u.cached_input_tokens, u.output_tokens,
      w.cached_input_weight, w.output_weight), 0),
    coalesce(u.input_tokens + u.cached_input_tokens, 0)
  from watched as w
  left join agentdb._token_sum(as_of - interval '1 hour', as_of) as h
    on h.agent_id = w.agent_id
  left join (
    select s.span, t.*
    from (select distinct o.span from watched as o) as s
    cross join lateral agentdb._token_sum(as_of - s.span, as_of) as t
  ) as u on u.agent_id = w.agent_id and u.span = w.span
  where h.agent_id is not null or u.agent_id is not null;
end;

comment on function agentdb._token_use (timestamptz, boolean) is
  'The weighted tokens of each agent, or only of those with a token_rate_factor, in '
  'the hour and in the policy window before a moment, and its input in the window.';


-- Against flapping: an alert that fires ends only well below its threshold.
create or replace function agentdb._clear_share (
  agent_name text,
  share double precision,
  as_of timestamptz
)
  returns double precision
  language sql
  stable
  return case when exists (
    select from agentdb.alert as l
    where l.rule_name = 'token_rate'
      and l.fingerprint = md5(jsonb_build_object('agent', agent_name)::text)
      and l.state = 'firing'
      and l.firing_at <= as_of
  ) then share else 1 end;

comment on function agentdb._clear_share (text, double precision, timestamptz) is
  'The part of a token threshold that counts: all of it, or policy.token_rate_clear '
  'while the agent''s alert fires.';


-- One row a threshold that an agent is over.
create or replace function agentdb._token_excess (as_of timestamptz)
  returns table (
    agent_id bigint, setting text, used double precision, threshold double precision,
    what text, severity text, learned text
  )
  language sql
  stable
begin atomic
  select u.agent_id, t.setting, t.used, t.threshold, t.what,
    case when t.setting = 'token_rate_unusual_hour' and s.known_hour
      then 'warning' else 'critical' end,
    agentdb._learned(coalesce(n.days, 0))
  from agentdb._token_use(as_of, false) as u
  join agentdb.agent as a on a.agent_id = u.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  left join lateral agentdb._token_baseline(
    case when p.token_rate_factor is not null then a.agent_id end, as_of) as b on true
  left join lateral agentdb._normal_at(a.agent_id, as_of) as n on true
  cross join lateral (
    select
      coalesce(n.active_days, 0) >= p.token_rate_warm_up_days as warm,
      agentdb._clear_share(a.agent_name, p.token_rate_clear, as_of) as share,
      agentdb._is_usual_hour(n.hours, p.token_rate_regular_hours, n.days, as_of)
        as known_hour,
      agentdb._is_usual_day(n.hours, n.days, as_of) as known_day
  ) as s
  cross join lateral (
    values
      (
        'token_rate_per_hour', u.tokens_per_hour, p.token_rate_per_hour,
        'in an hour; the ceiling is'
      ),
      (
        'token_rate_margin', u.tokens_in_window,
        case when s.warm
          then greatest(p.token_rate_floor, n.bound) end,
        'in 30 min; its own busy half hours stay below'
      ),
      (
        'token_rate_warm_up_cap', u.tokens_in_window,
        case when not s.warm and p.token_rate_quantile is not null
          then p.token_rate_warm_up_cap end,
        format('in 30 min; a new agent (%s) may use',
          agentdb._learned(coalesce(n.days, 0)))
      ),
      (
        'token_rate_unusual_hour', u.tokens_in_window,
        case
          when s.warm and not s.known_hour then p.token_rate_unusual_hour
          -- Its usual work on an unusual day is no harm.
          when s.warm and not s.known_day
            then greatest(p.token_rate_unusual_hour, n.bound / p.token_rate_margin)
        end,
        case when s.known_hour
          then 'in 30 min on a day of the week on which it never worked; at most'
          else 'in 30 min at an hour at which it never worked; what may pass then is'
        end
      ),
      (
        'token_rate_factor', u.tokens_in_window,
        greatest(p.token_rate_floor, p.token_rate_factor * b.tokens_per_window),
        format('in %s; %s times its average is', agentdb._span(p.token_rate_window),
          p.token_rate_factor)
      )
  ) as t (setting, used, threshold, what)
  -- Below these no threshold is passed, whatever is normal: nothing is looked up.
  where (u.tokens_per_hour > p.token_rate_clear * p.token_rate_per_hour
      or u.tokens_in_window > p.token_rate_clear * least(p.token_rate_floor,
        p.token_rate_warm_up_cap, p.token_rate_unusual_hour))
    and t.used > t.threshold * s.share
    and (t.setting <> 'token_rate_factor' or b.tokens_per_window is not null);
end;

comment on function agentdb._token_excess (timestamptz) is
  'Each threshold of policy.token_rate_* that an agent is over at a moment.';


create or replace function agentdb.rule_token_rate (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select distinct on (e.agent_id)
    jsonb_build_object('agent', a.agent_name),
    e.used,
    jsonb_build_object(
      'summary', format(
        '%s used %s tokens (as they are paid for) %s %s', a.agent_name,
        round(e.used), e.what, round(e.threshold)
      ),
      'severity', e.severity,
      'policy', a.policy_name,
      'setting', e.setting,
      'threshold', round(e.threshold),
      'learned', e.learned
    )
  from agentdb._token_excess(as_of) as e
  join agentdb.agent as a on a.agent_id = e.agent_id
  order by e.agent_id, e.severity, e.used / e.threshold desc;
end;

comment on function agentdb.rule_token_rate (timestamptz) is
  'Agents over their ceiling, over what is normal for them, or busy at an hour at '
  'which they never were.';


create or replace view agentdb.token_rate as
  select r.labels, r.value, r.annotations
  from agentdb.rule_token_rate(statement_timestamp()) as r;

comment on view agentdb.token_rate is
  'Rule: agents that burn tokens faster than their ceiling or than is normal for them.';

select agentdb._declare_rule(
  rule_name => 'token_rate',
  severity => 'critical',
  health => 'burning',
  why => 'Tokens per hour are the first thing that a runaway changes.',
  evidence => $$
    select t.run_id, date_bin('5 minutes', t.recorded_at, 'epoch') as since,
      count(*) as calls, sum(t.input_tokens) as input,
      sum(t.cached_input_tokens) as cached, sum(t.output_tokens) as output
    from agentdb.token_log as t
    join agentdb.agent as a on a.agent_id = t.agent_id
    where a.agent_name = :labels ->> 'agent'
      and t.recorded_at > :at - interval '1 hour'
      and t.recorded_at <= :at
    group by 1, 2
    order by 2 desc limit 12
  $$,
  ends_when => 'its rate is well below the threshold',
  remedy => $$
    Find the run that uses the tokens; stop it, or pause the agent.
    agentdb runs --agent {agent}
    agentdb pause {agent} --reason …
  $$,
  ends_with_run => true,
  keep_firing => '10 minutes'
);


-- The playbook's: output hardly changes when a context fills up, input tells it alone.
-- Other policies have context_jump for it, which does not page for a busy morning.
create or replace function agentdb.rule_input_spike (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name),
    u.input_in_window::double precision,
    jsonb_build_object(
      'summary', format(
        '%s sent %s input tokens in %s, %s times its average of %s',
        a.agent_name, u.input_in_window, agentdb._span(p.token_rate_window),
        round((u.input_in_window / b.input_per_window)::numeric, 1),
        round(b.input_per_window)
      ),
      'policy', p.policy_name,
      'setting', 'token_rate_factor',
      'threshold', p.token_rate_factor,
      'baseline', round(b.input_per_window)
    )
  from agentdb._token_use(as_of, true) as u
  join agentdb.agent as a on a.agent_id = u.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral agentdb._token_baseline(
    case when u.input_in_window > p.token_rate_floor
      and p.token_rate_factor is not null then a.agent_id end, as_of) as b
  where exists (
      select from agentdb.policy as w
      join agentdb.agent as g on g.policy_name = w.policy_name
      where w.token_rate_factor is not null
    )
    and u.input_in_window > p.token_rate_floor
    and u.input_in_window > p.token_rate_factor * b.input_per_window;
end;

comment on function agentdb.rule_input_spike (timestamptz) is
  'Agents whose input tokens are over policy.token_rate_factor times their own '
  'average, where the policy has one.';


create or replace view agentdb.input_spike as
  select r.labels, r.value, r.annotations
  from agentdb.rule_input_spike(statement_timestamp()) as r;

comment on view agentdb.input_spike is
  'Rule: agents whose prompts have grown, whatever they answer.';

select agentdb._declare_rule(
  rule_name => 'input_spike',
  severity => 'warning',
  health => 'burning',
  why => 'Input is what a context bomb costs; output does not show it.',
  evidence => $$
    select c.day, c.input_tokens, c.cached_input_tokens, c.output_tokens, c.cost,
      c.input_cost, c.cached_input_cost, c.output_cost
    from agentdb.cost_by_agent_day as c
    where c.agent_name = :labels ->> 'agent'
    order by c.day desc
    limit 8
  $$,
  ends_when => 'its input is below the threshold',
  remedy => $$
    Find the run whose prompts have grown; stop it if that is no work of its own.
    agentdb runs --agent {agent}
    agentdb pause {agent} --reason …
  $$,
  ends_with_run => true,
  keep_firing => '10 minutes'
);
