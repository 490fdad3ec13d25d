-- Rules about budgets and context: what runs low, and what makes it run low.

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


-- One row a budget, however many runs it covers.  A run that has ended is over its own.
create or replace function agentdb._budget_in_use (as_of timestamptz)
  returns table (agent_id bigint, scope text, conversation text, run_id bigint)
  language sql
  stable
begin atomic
  select distinct r.agent_id, 'agent_day', null::text, null::bigint
  from agentdb._recent_run(as_of) as r
  union all
  select distinct r.agent_id, 'conversation', r.conversation, null::bigint
  from agentdb._recent_run(as_of) as r
  union all
  select r.agent_id, 'run', r.conversation, r.run_id
  from agentdb._open_run(as_of) as r;
end;

comment on function agentdb._budget_in_use (timestamptz) is
  'The budgets that runs recent at a moment are under.';


create or replace function agentdb.rule_budget_low (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_strip_nulls(jsonb_build_object('agent', a.agent_name, 'scope', r.scope,
      'conversation', r.conversation, 'run', r.run_id::text)),
    u.share,
    jsonb_build_object(
      'summary', format(
        '%s has used %s%% of its %s budget:%s%s', a.agent_name, round(u.share * 100),
        r.scope, ' ' || b.spent || ' of ' || b.max_tokens || ' tokens',
        ' cost ' || round(b.cost, 2) || ' of ' || b.max_cost
      ),
      'policy', p.policy_name,
      'setting', 'budget_low_share',
      'threshold', p.budget_low_share,
      'severity', case when u.share >= 1 then 'critical' else 'warning' end
    )
  from agentdb._budget_in_use(as_of) as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral agentdb._budget_limit(r.agent_id) as l
  left join agentdb._conversation_use(as_of) as c
    on c.agent_id = r.agent_id
    and c.conversation = r.conversation
  cross join lateral agentdb._budget(r.run_id, r.agent_id, r.conversation) as b
  cross join lateral (
    select greatest(
      b.spent::double precision / nullif(b.max_tokens, 0),
      b.cost::double precision / nullif(b.max_cost, 0)
    ) as share
  ) as u
  where l.scope = r.scope
    and b.scope = r.scope
    -- Most conversations are far from their limit: no need to add up.
    and (l.max_cost is not null
      or (l.max_tokens is not null and r.scope = 'agent_day')
      or c.input_tokens + c.cached_input_tokens + c.output_tokens
        >= p.budget_low_share * l.max_tokens)
    and u.share >= p.budget_low_share;
end;

comment on function agentdb.rule_budget_low (timestamptz) is
  'Budgets of runs recent at a moment of which policy.budget_low_share is spent, '
  'counted as they stand now.';


create or replace view agentdb.budget_low as
  select r.labels, r.value, r.annotations
  from agentdb.rule_budget_low(statement_timestamp()) as r;

comment on view agentdb.budget_low is
  'Rule: budgets that run low, of a conversation, a run, or an agent''s day.';


-- A reservation is seen before its prompt is sent, and a bomb before it costs.
create or replace function agentdb._prompt (since timestamptz, as_of timestamptz)
  returns table (
    agent_id bigint, run_id bigint, at timestamptz, tokens bigint, sent boolean
  )
  language sql
  stable
begin atomic
  select
    t.agent_id, t.run_id, t.recorded_at, t.input_tokens + t.cached_input_tokens, true
  from agentdb.token_log as t
  where t.recorded_at > since
    and t.recorded_at <= as_of
  union all
  select v.agent_id, v.run_id, v.reserved_at, v.prompt_tokens, false
  from agentdb.token_reservation as v
  where v.reserved_at > since
    and v.reserved_at <= as_of
    and (v.settled_at is null or v.settled_at > as_of);
end;

comment on function agentdb._prompt (timestamptz, timestamptz) is
  'Prompts of a span of time: sent ones from the log, and reserved ones on their way.';


create or replace function agentdb.rule_context_jump (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  with prompt as (
    select q.agent_id, q.run_id, q.at, q.tokens, q.sent,
      lag(q.tokens) over (partition by q.run_id order by q.at) as former
    from agentdb._prompt(
      as_of - (select max(w.context_jump_window) from agentdb.policy as w), as_of
    ) as q
  )
  select distinct on (q.run_id)
    jsonb_build_object('agent', a.agent_name, 'run', q.run_id::text),
    q.tokens::double precision,
    jsonb_build_object(
      'summary', format(
        'a prompt of run %s of %s jumped from %s to %s tokens%s',
        q.run_id, a.agent_name, f.former, q.tokens,
        case when q.sent then '' else '; it is reserved and not sent yet' end
      ),
      'policy', p.policy_name,
      'setting', 'context_jump_factor',
      'threshold', p.context_jump_factor
    )
  from prompt as q
  join agentdb.agent as a on a.agent_id = q.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  -- A jump stays one when the prompt before it leaves the window.
  cross join lateral (
    select coalesce(q.former, (
      select t.input_tokens + t.cached_input_tokens
      from agentdb.token_log as t
      where t.run_id = q.run_id
        and t.recorded_at < q.at
        and t.recorded_at > q.at - interval '1 day'
      order by t.token_log_id desc
      limit 1
    )) as former
  ) as f
  where q.at > as_of - p.context_jump_window
    and q.tokens > p.context_jump_floor
    and (q.tokens > p.context_jump_factor * f.former
      or (q.tokens > f.former + p.context_jump_tokens
        and q.tokens > p.context_jump_growth * f.former))
  order by q.run_id, q.tokens desc;
end;

comment on function agentdb.rule_context_jump (timestamptz) is
  'Runs with a prompt more than policy.context_jump_factor times the one before it, or '
  'larger by context_jump_tokens, sent or reserved.';


create or replace view agentdb.context_jump as
  select r.labels, r.value, r.annotations
  from agentdb.rule_context_jump(statement_timestamp()) as r;

comment on view agentdb.context_jump is
  'Rule: prompts that grew at a bound, the sign of a context bomb.';


create or replace function agentdb.rule_large_tool_result (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'run', l.run_id::text, 'tool', l.tool),
    max(l.result_size)::double precision,
    jsonb_build_object(
      'summary', format(
        '%s returned up to %s characters to %s, %s times over %s',
        l.tool, max(l.result_size), a.agent_name, count(*), p.large_tool_result_size
      ),
      'policy', p.policy_name,
      'setting', 'large_tool_result_size',
      'threshold', p.large_tool_result_size
    )
  from agentdb.tool_call_log as l
  join agentdb.agent as a on a.agent_id = l.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where l.recorded_at <= as_of
    and l.recorded_at > as_of - p.large_tool_result_window
    and l.recorded_at > as_of - (
      select max(w.large_tool_result_window) from agentdb.policy as w
    )
    and l.result_size > p.large_tool_result_size
  group by a.agent_name, l.run_id, l.tool, p.policy_name;
end;

comment on function agentdb.rule_large_tool_result (timestamptz) is
  'Tools whose results were larger than policy.large_tool_result_size.';


create or replace view agentdb.large_tool_result as
  select r.labels, r.value, r.annotations
  from agentdb.rule_large_tool_result(statement_timestamp()) as r;

comment on view agentdb.large_tool_result is
  'Rule: tool results so large that they fill the context.';
