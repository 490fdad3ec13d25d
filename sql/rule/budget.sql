-- Rules about budgets: what runs low.

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
  with recent as materialized (
    select distinct r.agent_id, r.conversation from agentdb._recent_run(as_of) as r
  ),
  member as materialized (
    select m.run_id, c.agent_id, c.conversation
    from recent as c
    cross join lateral (
      select r.run_id
      from agentdb.run as r
      where r.agent_id = c.agent_id
        and r.conversation = c.conversation
        and r.started_at <= as_of
      offset 0
    ) as m
  )
  select
    m.agent_id, m.conversation, max(m.run_id),
    sum(u.input_tokens)::bigint, sum(u.cached_input_tokens)::bigint,
    sum(u.output_tokens)::bigint
  from member as m
  join agentdb._tokens_of_run(array(select n.run_id from member as n), as_of) as u
    on u.run_id = m.run_id
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
      'setting', 'conversation_budget_tokens',
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

select agentdb._declare_rule(
  rule_name => 'conversation_budget',
  severity => 'critical',
  health => 'overspending',
  why => 'Context that only grows is paid again with every call.',
  evidence => $$
    select t.recorded_at, t.run_id, t.model, t.input_tokens, t.cached_input_tokens,
      t.output_tokens, t.input_cost, t.cached_input_cost, t.output_cost
    from agentdb.token_log as t
    join agentdb.run as r on r.run_id = t.run_id
    join agentdb.agent as a on a.agent_id = r.agent_id
    where a.agent_name = :labels ->> 'agent'
      and r.conversation = :labels ->> 'conversation'
      and t.recorded_at <= :at
    order by t.input_tokens desc limit 10
  $$,
  ends_when => 'the conversation has been idle for an hour, or its budget is raised',
  remedy => $$
    Have the agent begin a new conversation with a summary, or stop it.
    agentdb timeline {run}
    agentdb kill {run} --reason …
  $$,
  ends_with_run => true
);


-- One row a budget, however many runs it covers.  A run that has ended is over its own,
-- and a tree when all of it has.
create or replace function agentdb._budget_in_use (as_of timestamptz)
  returns table (
    agent_id bigint, scope text, conversation text, run_id bigint, alone boolean
  )
  language sql
  stable
begin atomic
  select distinct r.agent_id, 'agent_day', null::text, null::bigint, false
  from agentdb._recent_run(as_of) as r
  union all
  select distinct r.agent_id, 'conversation', r.conversation, null::bigint, false
  from agentdb._recent_run(as_of) as r
  union all
  select r.agent_id, 'run', r.conversation, r.run_id, false
  from agentdb._open_run(as_of) as r
  union all
  select distinct f.agent_id, 'tree', f.conversation, f.run_id,
    c.root_run_id is null
    and not exists (select from agentdb.run as d where d.root_run_id = c.run_id)
  from agentdb._open_run(as_of) as o
  join agentdb.run as c on c.run_id = o.run_id
  join agentdb.run as f on f.run_id = coalesce(c.root_run_id, c.run_id);
end;

comment on function agentdb._budget_in_use (timestamptz) is
  'The budgets that runs recent at a moment are under; alone is the tree of a run that '
  'has started no other.';


-- What agents used today, counted as it stands now, as their budget is.
create or replace function agentdb._day_use (agents bigint[])
  returns table (agent_id bigint, tokens bigint)
  language sql
  stable
begin atomic
  with today (since) as (
    select agentdb._budget_day()
  )
  select u.agent_id, sum(u.tokens)::bigint
  from (
    select h.agent_id, h.input_tokens + h.cached_input_tokens + h.output_tokens
    from today as d
    cross join unnest(agents) as a (agent_id)
    cross join lateral (
      select o.*
      from agentdb.token_half_hour as o
      where o.agent_id = a.agent_id
        and o.half_hour_at >= d.since
      offset 0
    ) as h
    union all
    select t.agent_id, t.input_tokens + t.cached_input_tokens + t.output_tokens
    from today as d
    join agentdb._uncounted_tokens() as t on t.recorded_at >= d.since
  ) as u (agent_id, tokens)
  group by u.agent_id;
end;

comment on function agentdb._day_use (bigint[]) is
  'The tokens that agents used since midnight UTC.';


-- Most budgets are far from their limit: what they cost exactly is asked of few.
create or replace function agentdb._budget_near (as_of timestamptz)
  returns table (agent_id bigint, scope text, conversation text, run_id bigint)
  language sql
  stable
begin atomic
  with budget as materialized (
    select b.* from agentdb._budget_in_use(as_of) as b
  ),
  agent as materialized (
    select a.agent_id, least(p.budget_notice_share, p.budget_low_share) as share
    from (select distinct b.agent_id from budget as b) as d
    join agentdb.agent as a on a.agent_id = d.agent_id
    join agentdb.policy as p on p.policy_name = a.policy_name
  ),
  limited as materialized (
    select a.agent_id, l.scope, l.max_tokens * a.share as least, l.max_cost
    from agent as a
    cross join lateral agentdb._budget_limit(a.agent_id) as l
    where l.max_tokens is not null
      or l.max_cost is not null
  ),
  used as materialized (
    select u.agent_id, 'conversation' as scope, u.conversation,
      u.input_tokens + u.cached_input_tokens + u.output_tokens as tokens
    from agentdb._conversation_use(as_of) as u
    union all
    select u.agent_id, 'agent_day', '', u.tokens
    from agentdb._day_use(array(select a.agent_id from agent as a)) as u
  )
  select b.agent_id, b.scope, b.conversation, b.run_id
  from budget as b
  join limited as l on l.agent_id = b.agent_id and l.scope = b.scope
  join limited as c on c.agent_id = b.agent_id and c.scope = 'conversation'
  left join limited as r on r.agent_id = b.agent_id and r.scope = 'run'
  left join used as u
    on u.agent_id = b.agent_id
    -- A run has used no more than its conversation.
    and u.scope = case b.scope when 'run' then 'conversation' else b.scope end
    and u.conversation = coalesce(b.conversation, '')
  -- Of one run alone the others say it, but where its tree may use less than they.
  where b.scope = 'tree' and (not b.alone or l.least < least(c.least, r.least)
      or l.max_cost < coalesce(least(c.max_cost, r.max_cost), 'infinity'))
    or b.scope <> 'tree' and l.max_cost is not null
    or u.tokens >= l.least;
end;

comment on function agentdb._budget_near (timestamptz) is
  'The budgets in use at a moment that may have reached policy.budget_notice_share.';


create or replace function agentdb.rule_budget_low (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_strip_nulls(jsonb_build_object('agent', a.agent_name, 'scope', r.scope,
      'conversation', case when r.scope <> 'tree' then r.conversation end,
      'run', r.run_id::text)),
    u.share,
    jsonb_build_object(
      'summary', format(
        '%s has used %s%% of %s budget%s:%s%s', w.who, round(u.share * 100), w.whose,
        case when u.share >= p.budget_nearly_spent_share and u.share < 1
          then ', which is nearly spent' end,
        ' ' || b.spent || ' of ' || b.max_tokens || ' tokens',
        ' cost ' || round(b.cost, 2) || ' of ' || b.max_cost
          || agentdb._cost_apart(b.input_cost, b.cached_input_cost, b.output_cost)
      ),
      'policy', p.policy_name,
      'setting', s.setting,
      'threshold', s.threshold,
      -- That a conversation has used more than its policy allows another rule says.
      'severity', case
        when u.share >= 1 and (r.scope <> 'conversation' or b.cost >= b.max_cost
          or b.max_tokens is distinct from p.conversation_budget_tokens) then 'critical'
        when u.share >= p.budget_low_share then 'warning' else 'info' end,
      'stage', case when u.share >= p.budget_nearly_spent_share then 2
        when u.share >= p.budget_low_share then 1 else 0 end,
      'advice', case when u.share >= p.budget_low_share then format(
        'The budget of %s is %s: %s%% of it is used%s.',
        case r.scope when 'agent_day' then 'the agent for today'
          when 'tree' then 'the tree of this run' else 'this ' || r.scope end,
        case when u.share >= 1 then 'spent'
          when u.share >= p.budget_nearly_spent_share then 'nearly spent'
          else 'running low' end,
        round(u.share * 100), ', ' || b.tokens_left || ' tokens are left') end
    )
  from agentdb._budget_near(as_of) as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral agentdb._budget(r.run_id, r.agent_id, r.conversation) as b
  cross join lateral (
    select greatest(
      b.spent::double precision / nullif(b.max_tokens, 0),
      b.cost::double precision / nullif(b.max_cost, 0)
    ) as share
  ) as u
  cross join lateral (
    select
      case when u.share >= p.budget_low_share then 'budget_low_share'
        else 'budget_notice_share' end as setting,
      case when u.share >= p.budget_low_share then p.budget_low_share
        else p.budget_notice_share end as threshold
  ) as s
  cross join lateral (
    select
      case r.scope when 'tree' then format('the tree of run %s of %s', r.run_id,
        a.agent_name) else a.agent_name end as who,
      case r.scope when 'tree' then 'its'
        else 'its ' || r.scope end as whose
  ) as w
  where b.scope = r.scope
    and u.share >= least(p.budget_notice_share, p.budget_low_share);
end;

comment on function agentdb.rule_budget_low (timestamptz) is
  'Budgets of runs recent at a moment of which policy.budget_notice_share, or more, is '
  'spent, counted as they stand now.';


create or replace view agentdb.budget_low as
  select r.labels, r.value, r.annotations
  from agentdb.rule_budget_low(statement_timestamp()) as r;

comment on view agentdb.budget_low is
  'Rule: budgets that run low, of a conversation, a run, a tree, or an agent''s day.';

select agentdb._declare_rule(
  rule_name => 'budget_low',
  severity => 'warning',
  health => 'overspending',
  why => 'A budget that runs low will refuse the agent soon.',
  evidence => $$
    select b.scope, r.run_id, b.max_tokens, b.spent, b.reserved, b.tokens_left, b.cost,
      b.input_cost, b.cached_input_cost, b.output_cost
    from (
      select r.* from agentdb._recent_run(:at) as r
      join agentdb.agent as a on a.agent_id = r.agent_id
      where a.agent_name = :labels ->> 'agent'
        and r.conversation = coalesce(:labels ->> 'conversation', r.conversation)
        and (:labels ->> 'scope' <> 'tree' or r.run_id::text = :labels ->> 'run')
      order by r.run_id desc limit 10) as r
    cross join lateral agentdb._budget(r.run_id, r.agent_id, r.conversation) as b
    where b.scope = :labels ->> 'scope'
  $$,
  ends_when => 'the budget is raised, or the day, conversation or tree is over',
  remedy => $$
    Let it run out, raise the budget, or stop the agent.
    agentdb why {agent}
    agentdb pause {agent} --reason …
  $$,
  ends_with_run => true
);
