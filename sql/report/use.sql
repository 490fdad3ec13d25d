-- Use: which tools fail, and what each agent may still spend today.

create or replace function agentdb.tool_board (lasting interval default '6 hours')
  returns table (
    tool text, calls bigint, errors bigint, unknown bigint, invalid bigint,
    p50 interval, p95 interval, largest_result bigint, agents bigint
  )
  language sql
  stable
begin atomic
  select
    l.tool, count(*), count(*) filter (where not l.ok),
    count(f.unknown), count(f.invalid),
    percentile_cont(0.5) within group (order by l.duration),
    percentile_cont(0.95) within group (order by l.duration),
    max(l.result_size), count(distinct l.agent_id)
  from agentdb.tool_call_log as l
  left join (
    select t.run_id, t.tool_call_log_id,
      bool_or(t.fault = 'unknown') or null as unknown,
      bool_or(t.fault = 'invalid_args') or null as invalid
    from agentdb.tool_fault as t
    where t.found_at > clock_timestamp() - lasting
    group by t.run_id, t.tool_call_log_id
  ) as f
    on f.run_id = l.run_id and f.tool_call_log_id = l.tool_call_log_id
  where l.recorded_at > clock_timestamp() - lasting
  group by l.tool;
end;

comment on function agentdb.tool_board (interval) is
  'How each tool did lately: calls, failed ones, calls of a tool that does not exist '
  'or with arguments that it does not take, how long they took, and the largest '
  'result in bytes.';


create or replace view agentdb.day_budget as
  select
    a.agent_name, l.max_tokens, l.max_cost,
    coalesce(sum(h.input_tokens + h.cached_input_tokens + h.output_tokens), 0)::bigint
      as spent,
    coalesce(sum(h.cost), 0) as cost
  from agentdb.agent as a
  cross join lateral agentdb._budget_limit(a.agent_id) as l
  left join agentdb.token_half_hour as h
    on h.agent_id = a.agent_id
    and h.half_hour_at >= date_bin('1 day', clock_timestamp(), 'epoch')
  where l.scope = 'agent_day'
  group by a.agent_name, l.max_tokens, l.max_cost;

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
