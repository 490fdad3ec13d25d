-- What people see of budgets, and what agents cost a day.

create or replace view agentdb.budget as
  select
    a.agent_name, r.conversation, r.run_id, b.scope, b.max_tokens, b.spent, b.reserved,
    b.tokens_left, b.max_cost, b.cost
  from agentdb._recent_run(statement_timestamp()) as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  cross join lateral agentdb._budget(r.run_id, r.agent_id, r.conversation) as b;

comment on view agentdb.budget is
  'The budgets of each run that is open or ended within the hour.';
comment on column agentdb.budget.agent_name is
  'Whose budget it is.';
comment on column agentdb.budget.conversation is
  'The conversation of the run.';
comment on column agentdb.budget.run_id is
  'The run.';
comment on column agentdb.budget.scope is
  'What the budget is for: agent_day, conversation or run.';
comment on column agentdb.budget.max_tokens is
  'The limit; NULL is none.';
comment on column agentdb.budget.spent is
  'Tokens that the logs say were used.';
comment on column agentdb.budget.reserved is
  'Tokens set aside for prompts on their way.';
comment on column agentdb.budget.tokens_left is
  'What can still be reserved; NULL without a limit.';
comment on column agentdb.budget.max_cost is
  'The limit of the cost; NULL is none.';
comment on column agentdb.budget.cost is
  'What it has cost.';


create or replace view agentdb.cost_by_agent_day as
  select
    a.agent_name, (h.half_hour_at at time zone 'UTC')::date as day,
    sum(h.input_tokens)::bigint as input_tokens,
    sum(h.cached_input_tokens)::bigint as cached_input_tokens,
    sum(h.output_tokens)::bigint as output_tokens,
    sum(h.cost) as cost
  from agentdb.token_half_hour as h
  join agentdb.agent as a on a.agent_id = h.agent_id
  group by a.agent_name, 2;

comment on view agentdb.cost_by_agent_day is
  'What each agent used and cost a UTC day, as of the last roll-up.';
comment on column agentdb.cost_by_agent_day.agent_name is
  'The agent.';
comment on column agentdb.cost_by_agent_day.day is
  'The UTC day.';
comment on column agentdb.cost_by_agent_day.input_tokens is
  'Input tokens that did not come from a cache.';
comment on column agentdb.cost_by_agent_day.cached_input_tokens is
  'Input tokens from the provider''s cache.';
comment on column agentdb.cost_by_agent_day.output_tokens is
  'Output tokens, reasoning included.';
comment on column agentdb.cost_by_agent_day.cost is
  'What they cost, in the currency of the callers.';
