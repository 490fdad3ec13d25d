-- Rules about context: what makes a prompt large, and all that follow it.

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

select agentdb._declare_rule(
  rule_name => 'context_jump',
  severity => 'warning',
  health => 'burning',
  why => 'One large file read whole, and every later call pays for it again.',
  evidence => $$
    select t.recorded_at, t.model, t.input_tokens, t.cached_input_tokens,
      t.output_tokens, t.input_cost, t.cached_input_cost, t.output_cost
    from agentdb.token_log as t
    where t.run_id = (:labels ->> 'run')::bigint
      and t.recorded_at <= :at
    order by t.recorded_at desc limit 10
  $$,
  ends_when => 'no such prompt is left in policy.context_jump_window',
  remedy => $$
    See what filled the context; stop the run before every later call pays for it.
    agentdb timeline {run}
    agentdb kill {run} --reason …
  $$
);


create or replace function agentdb.rule_large_tool_result (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  with large as materialized (
    select u.agent_id, u.tool, s.span
    from (select distinct w.large_tool_result_window as span from agentdb.policy as w)
      as s
    cross join lateral agentdb._tool_use(as_of - s.span, as_of) as u
    join agentdb.agent as a on a.agent_id = u.agent_id
    join agentdb.policy as p
      on p.policy_name = a.policy_name and p.large_tool_result_window = s.span
    where u.largest > p.large_tool_result_size
  )
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
  from large as g
  join agentdb.tool_call_log as l on l.agent_id = g.agent_id and l.tool = g.tool
  join agentdb.agent as a on a.agent_id = l.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where l.recorded_at <= as_of
    and l.recorded_at > as_of - p.large_tool_result_window
    and l.recorded_at > as_of - (select max(o.span) from large as o)
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

select agentdb._declare_rule(
  rule_name => 'large_tool_result',
  severity => 'warning',
  health => 'burning',
  why => 'What a tool returns is in the context from then on.',
  evidence => $$
    select l.recorded_at, l.result_size, l.ok, l.args
    from agentdb.tool_call_log as l
    where l.run_id = (:labels ->> 'run')::bigint
      and l.tool = :labels ->> 'tool'
      and l.recorded_at <= :at
    order by l.result_size desc nulls last
    limit 10
  $$,
  ends_when => 'no such result is left in policy.large_tool_result_window',
  remedy => $$
    Have {tool} return less: a page, a summary, or the place of a file.
    agentdb timeline {run}
  $$
);
