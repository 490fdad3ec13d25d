-- Rules about tokens.  Each rule is a function of a moment, so that it can be asked
-- about any hour of the past, and a view at the present time, which alert_rule names.
-- A row is one alert: labels say which, value how bad, annotations what a person reads.
-- Thresholds are columns of policy and come from the playbook, taken literally.

-- Baselines come from whole hours of token_hour, so a poll costs the same however long
-- the history; the window itself is read from the log.
create or replace function agentdb._token_baseline (as_of timestamptz)
  returns table (
    agent_id bigint, tokens_per_window double precision,
    input_per_window double precision
  )
  language sql
  stable
begin atomic
  select
    h.agent_id,
    sum(h.input_tokens + h.cached_input_tokens + h.output_tokens)
      * extract(epoch from p.token_rate_window)::double precision
      / extract(epoch from as_of - p.token_rate_window - min(h.hour_at)),
    sum(h.input_tokens + h.cached_input_tokens)
      * extract(epoch from p.token_rate_window)::double precision
      / extract(epoch from as_of - p.token_rate_window - min(h.hour_at))
  from agentdb.token_hour as h
  join agentdb.agent as a on a.agent_id = h.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where h.hour_at >= as_of - p.token_rate_baseline
    and h.hour_at + interval '1 hour' <= as_of - p.token_rate_window
  group by h.agent_id, p.policy_name
  having as_of - min(h.hour_at) >= p.token_rate_min_history;
end;

comment on function agentdb._token_baseline (timestamptz) is
  'The average tokens of a policy window per agent over the baseline, for agents '
  'with enough history.';


create or replace function agentdb._token_use (as_of timestamptz)
  returns table (
    agent_id bigint, tokens_per_hour bigint, tokens_in_window bigint,
    input_in_window bigint
  )
  language sql
  stable
begin atomic
  select
    t.agent_id,
    coalesce(sum(t.input_tokens + t.cached_input_tokens + t.output_tokens)
      filter (where t.recorded_at > as_of - interval '1 hour'), 0)::bigint,
    coalesce(sum(t.input_tokens + t.cached_input_tokens + t.output_tokens)
      filter (where t.recorded_at > as_of - p.token_rate_window), 0)::bigint,
    coalesce(sum(t.input_tokens + t.cached_input_tokens)
      filter (where t.recorded_at > as_of - p.token_rate_window), 0)::bigint
  from agentdb.token_log as t
  join agentdb.agent as a on a.agent_id = t.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where t.recorded_at <= as_of
    and t.recorded_at > as_of - (
      select greatest(max(w.token_rate_window), interval '1 hour')
      from agentdb.policy as w
    )
  group by t.agent_id;
end;

comment on function agentdb._token_use (timestamptz) is
  'The tokens of each agent in the hour and in the policy window before a moment.';


create or replace function agentdb.rule_token_rate (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name),
    u.tokens_per_hour::double precision,
    jsonb_build_object(
      'summary', case
        when u.tokens_per_hour > p.token_rate_per_hour then format(
          '%s used %s tokens in an hour; the ceiling is %s',
          a.agent_name, u.tokens_per_hour, p.token_rate_per_hour
        )
        else format(
          '%s used %s tokens in %s, %s times its average of %s',
          a.agent_name, u.tokens_in_window, agentdb._span(p.token_rate_window),
          round((u.tokens_in_window / b.tokens_per_window)::numeric, 1),
          round(b.tokens_per_window)
        )
      end,
      'policy', p.policy_name,
      'threshold', p.token_rate_per_hour,
      'tokens_in_window', u.tokens_in_window,
      'baseline', round(b.tokens_per_window)
    )
  from agentdb._token_use(as_of) as u
  join agentdb.agent as a on a.agent_id = u.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  left join agentdb._token_baseline(as_of) as b on b.agent_id = u.agent_id
  where u.tokens_per_hour > p.token_rate_per_hour
    or (u.tokens_in_window > p.token_rate_floor
      and u.tokens_in_window > p.token_rate_factor * b.tokens_per_window);
end;

comment on function agentdb.rule_token_rate (timestamptz) is
  'Agents over policy.token_rate_per_hour, or over token_rate_factor times their '
  'own average window.';


create or replace view agentdb.token_rate as
  select r.labels, r.value, r.annotations
  from agentdb.rule_token_rate(statement_timestamp()) as r;

comment on view agentdb.token_rate is
  'Rule: agents that burn tokens faster than their ceiling or than three times '
  'their average.';


-- Output hardly changes when a context fills up; the input side tells it alone.
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
      'threshold', p.token_rate_factor,
      'baseline', round(b.input_per_window)
    )
  from agentdb._token_use(as_of) as u
  join agentdb.agent as a on a.agent_id = u.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  join agentdb._token_baseline(as_of) as b on b.agent_id = u.agent_id
  where u.input_in_window > p.token_rate_floor
    and u.input_in_window > p.token_rate_factor * b.input_per_window;
end;

comment on function agentdb.rule_input_spike (timestamptz) is
  'Agents whose input tokens are over policy.token_rate_factor times their own '
  'average.';


create or replace view agentdb.input_spike as
  select r.labels, r.value, r.annotations
  from agentdb.rule_input_spike(statement_timestamp()) as r;

comment on view agentdb.input_spike is
  'Rule: agents whose prompts have grown, whatever they answer.';


-- A conversation counts while a run of it is open or ended within the last hour; after
-- that nobody can act on it any more.
create or replace function agentdb._conversation_use (as_of timestamptz)
  returns table (
    agent_id bigint, conversation text, last_run_id bigint,
    input_tokens bigint, cached_input_tokens bigint, output_tokens bigint
  )
  language sql
  stable
begin atomic
  with recent as (
    select distinct r.agent_id, r.conversation from agentdb._recent_run(as_of) as r
  ),
  member as (
    select r.run_id, r.agent_id, r.conversation
    from recent as c
    join agentdb.run as r
      on r.agent_id = c.agent_id
      and r.conversation = c.conversation
    where r.started_at <= as_of
  )
  select
    m.agent_id, m.conversation, max(m.run_id),
    sum(u.input_tokens)::bigint, sum(u.cached_input_tokens)::bigint,
    sum(u.output_tokens)::bigint
  from member as m
  join agentdb._tokens_of_run(as_of) as u on u.run_id = m.run_id
  group by m.agent_id, m.conversation;
end;

comment on function agentdb._conversation_use (timestamptz) is
  'The tokens of each conversation that was alive at a moment.';


create or replace function agentdb.rule_conversation_budget (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object(
      'agent', a.agent_name, 'conversation', u.conversation, 'run', u.last_run_id::text
    ),
    t.tokens::double precision,
    jsonb_build_object(
      'summary', format(
        'conversation %s of %s has used %s tokens; its budget is %s',
        u.conversation, a.agent_name, t.tokens, p.conversation_budget_tokens
      ),
      'policy', p.policy_name,
      'threshold', p.conversation_budget_tokens,
      'input_tokens', u.input_tokens,
      'cached_input_tokens', u.cached_input_tokens,
      'output_tokens', u.output_tokens
    )
  from agentdb._conversation_use(as_of) as u
  cross join lateral (
    select u.input_tokens + u.cached_input_tokens + u.output_tokens as tokens
  ) as t
  join agentdb.agent as a on a.agent_id = u.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where t.tokens > p.conversation_budget_tokens;
end;

comment on function agentdb.rule_conversation_budget (timestamptz) is
  'Conversations alive at a moment that had used more than '
  'policy.conversation_budget_tokens.';


create or replace view agentdb.conversation_budget as
  select r.labels, r.value, r.annotations
  from agentdb.rule_conversation_budget(statement_timestamp()) as r;

comment on view agentdb.conversation_budget is
  'Rule: conversations that have used more tokens than their budget.';
