-- Use: which tools fail, and what each agent may still spend today.

-- The newest by their transactions: of these there is an index.
create or replace function agentdb.tool_board (
  lasting interval default '6 hours',
  most integer default 20000
)
  returns table (
    tool text, calls bigint, errors bigint, unknown bigint, invalid bigint,
    p50 interval, p95 interval, largest_result bigint, agents bigint
  )
  language sql
  stable
begin atomic
  select
    l.tool, count(*), count(*) filter (where not l.ok),
    count(*) filter (where f.fault = 'unknown'),
    count(*) filter (where f.fault = 'invalid_args'),
    percentile_cont(0.5) within group (order by l.duration),
    percentile_cont(0.95) within group (order by l.duration),
    max(l.result_size), count(distinct l.agent_id)
  from (
    select c.run_id, c.tool_call_log_id, c.agent_id, c.tool, c.ok, c.duration,
      c.result_size
    from agentdb.tool_call_log as c
    where c.recorded_at > now() - lasting
    order by c.xid desc
    limit most
  ) as l
  left join (
    select t.run_id, t.tool_call_log_id, max(t.fault) as fault
    from agentdb.tool_fault as t
    where t.found_at > now() - lasting
      and t.fault in ('unknown', 'invalid_args')
    group by t.run_id, t.tool_call_log_id
  ) as f
    on f.run_id = l.run_id and f.tool_call_log_id = l.tool_call_log_id
  group by l.tool;
end;

comment on function agentdb.tool_board (interval, integer) is
  'How each tool did lately, of the newest calls: calls, failed ones, calls of a tool '
  'that does not exist or with arguments that it does not take, how long they took, '
  'and the largest result in bytes.';


create or replace view agentdb.day_budget as
  select a.agent_name, l.max_tokens, l.max_cost, u.spent, u.cost
  from agentdb.agent as a
  cross join lateral agentdb._budget_limit(a.agent_id) as l
  cross join lateral (
    select
      coalesce(sum(h.input_tokens + h.cached_input_tokens + h.output_tokens), 0)::bigint
        as spent,
      coalesce(sum(h.cost), 0) as cost
    from agentdb.token_half_hour as h
    where h.agent_id = a.agent_id
      and h.half_hour_at >= date_bin('1 day', now(), 'epoch')
  ) as u
  where l.scope = 'agent_day';

comment on view agentdb.day_budget is
  'What each agent has used since midnight UTC against its budget of the day, as of '
  'the last roll-up.';
comment on column agentdb.day_budget.agent_name is
  'The agent.';
comment on column agentdb.day_budget.max_tokens is
  'Tokens of a day; NULL is no limit.';
comment on column agentdb.day_budget.max_cost is
  'Cost of a day; NULL is no limit.';
comment on column agentdb.day_budget.spent is
  'Tokens that it has used, cached ones too.';
comment on column agentdb.day_budget.cost is
  'What they cost, as far as anybody knows.';


-- What nobody has a price for is in no sum, and counted beside.
create or replace view agentdb.cost_by_model_day as
  select
    a.agent_name, nullif(c.model, '') as model, c.day_at,
    sum(c.model_calls)::bigint as model_calls,
    sum(c.unpriced_calls)::bigint as unpriced_calls,
    sum(c.input_tokens)::bigint as input_tokens,
    sum(c.cached_input_tokens)::bigint as cached_input_tokens,
    sum(c.output_tokens)::bigint as output_tokens,
    sum(c.cost) filter (where c.unpriced_calls < c.model_calls) as cost
  from agentdb.run_cost as c
  join agentdb.run as r on r.run_id = c.run_id
  join agentdb.agent as a on a.agent_id = r.agent_id
  group by a.agent_name, c.model, c.day_at;

comment on view agentdb.cost_by_model_day is
  'What each agent''s calls of each model cost a UTC day.';
comment on column agentdb.cost_by_model_day.agent_name is
  'The agent.';
comment on column agentdb.cost_by_model_day.model is
  'The model, as the caller named it; NULL where it named none.';
comment on column agentdb.cost_by_model_day.day_at is
  'When the day began.';
comment on column agentdb.cost_by_model_day.model_calls is
  'Calls of the model.';
comment on column agentdb.cost_by_model_day.unpriced_calls is
  'Calls of which nobody knows the cost.';
comment on column agentdb.cost_by_model_day.input_tokens is
  'Input tokens that did not come from a cache.';
comment on column agentdb.cost_by_model_day.cached_input_tokens is
  'Input tokens from the provider''s cache.';
comment on column agentdb.cost_by_model_day.output_tokens is
  'Output tokens, reasoning included.';
comment on column agentdb.cost_by_model_day.cost is
  'What they cost, as far as anybody knows; NULL where nobody does of any.';
