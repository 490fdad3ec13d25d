-- What people see of budgets, and what agents cost a day.

create or replace view agentdb.budget as
  select
    a.agent_name, r.conversation, r.run_id, b.scope, b.max_tokens, b.spent, b.reserved,
    b.tokens_left, b.max_cost, b.cost, b.input_cost, b.cached_input_cost,
    b.output_cost
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
  'What the budget is for: agent_day, conversation, run or tree (the run, and all that '
  'descend from who began it).';
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
  'What it has cost, as far as anybody knows.';
comment on column agentdb.budget.input_cost is
  'Of it the input that came from no cache.';
comment on column agentdb.budget.cached_input_cost is
  'Of it the input from the provider''s cache.';
comment on column agentdb.budget.output_cost is
  'Of it the output; what was said as a total alone is in none of the three.';


create or replace view agentdb.cost_by_agent_day as
  select
    a.agent_name, (h.half_hour_at at time zone 'UTC')::date as day,
    sum(h.input_tokens)::bigint as input_tokens,
    sum(h.cached_input_tokens)::bigint as cached_input_tokens,
    sum(h.output_tokens)::bigint as output_tokens,
    sum(h.cost) as cost,
    sum(h.input_cost) as input_cost,
    sum(h.cached_input_cost) as cached_input_cost,
    sum(h.output_cost) as output_cost
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
comment on column agentdb.cost_by_agent_day.input_cost is
  'Of it the input that came from no cache.';
comment on column agentdb.cost_by_agent_day.cached_input_cost is
  'Of it the input from the provider''s cache.';
comment on column agentdb.cost_by_agent_day.output_cost is
  'Of it the output; what was said as a total alone is in none of the three.';


create or replace view agentdb.cost as
  select
    a.agent_name, r.conversation, nullif(c.model, '') as model,
    (c.day_at at time zone 'UTC')::date as day,
    sum(c.model_calls)::bigint as model_calls,
    sum(c.unpriced_calls)::bigint as unpriced_calls,
    sum(c.input_tokens)::bigint as input_tokens,
    sum(c.cached_input_tokens)::bigint as cached_input_tokens,
    sum(c.output_tokens)::bigint as output_tokens,
    sum(c.input_cost) as input_cost,
    sum(c.cached_input_cost) as cached_input_cost,
    sum(c.output_cost) as output_cost,
    sum(c.cost) as cost
  from agentdb.run_cost as c
  join agentdb.run as r on r.run_id = c.run_id
  join agentdb.agent as a on a.agent_id = r.agent_id
  group by a.agent_name, r.conversation, c.model, c.day_at;

comment on view agentdb.cost is
  'What each model cost an agent in a conversation a UTC day, input apart from output, '
  'as of the last roll-up.';
comment on column agentdb.cost.agent_name is
  'The agent.';
comment on column agentdb.cost.conversation is
  'The conversation.';
comment on column agentdb.cost.model is
  'The model; NULL where nobody said.';
comment on column agentdb.cost.day is
  'The UTC day.';
comment on column agentdb.cost.model_calls is
  'Calls of the model.';
comment on column agentdb.cost.unpriced_calls is
  'Those whose cost nobody knows: it is not in the sums.';
comment on column agentdb.cost.input_tokens is
  'Input tokens that did not come from a cache.';
comment on column agentdb.cost.cached_input_tokens is
  'Input tokens from the provider''s cache.';
comment on column agentdb.cost.output_tokens is
  'Output tokens, reasoning included.';
comment on column agentdb.cost.input_cost is
  'What the input cost that came from no cache.';
comment on column agentdb.cost.cached_input_cost is
  'What the input from the provider''s cache cost.';
comment on column agentdb.cost.output_cost is
  'What the output cost.';
comment on column agentdb.cost.cost is
  'What they cost together, and what was said as a total alone, in the currency of '
  'the callers.';
