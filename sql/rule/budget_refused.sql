-- The rule about budgets that refused a reservation or a call.

create or replace function agentdb.rule_budget_refused (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_strip_nulls(jsonb_build_object('agent', a.agent_name, 'scope', f.scope,
      'conversation', s.conversation, 'run', s.run)),
    sum(f.refusals)::double precision,
    jsonb_strip_nulls(jsonb_build_object(
      'summary', format('%s was refused %s by its %s budget within %s%s', a.agent_name,
        agentdb._how_many(sum(f.refusals)::bigint, 'time'),
        case f.scope when 'agent_day' then 'daily' when 'tree' then 'tree''s'
          else f.scope end,
        agentdb._within(min(f.first_at), max(f.last_at)),
        format('; the last time it asked for %s tokens and had %s left',
          (array_agg(f.asked order by f.last_at desc))[1],
          (array_agg(f.tokens_left order by f.last_at desc))[1])),
      'policy', p.policy_name,
      'threshold', 0,
      'last_run', max(f.run_id)::text,
      'spent', bool_or(f.spent)
    ))
  from agentdb.budget_refusal as f
  left join agentdb._root_of(f.run_id) as o on f.scope = 'tree'
  -- Whoever began a tree answers for what they are refused.
  join agentdb.agent as a on a.agent_id = coalesce(o.agent_id, f.agent_id)
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral (
    select case f.scope when 'conversation' then f.conversation end as conversation,
      case f.scope when 'run' then f.run_id::text when 'tree' then o.run_id::text end
        as run
  ) as s
  where f.first_at <= as_of
    and f.last_at > as_of - p.budget_refused_window
    and f.minute_at > as_of - interval '1 minute' - (
      select max(w.budget_refused_window) from agentdb.policy as w)
  group by a.agent_name, p.policy_name, f.scope, s.conversation, s.run
  -- What is only set aside comes back by itself, mostly at once.
  having bool_or(f.spent) or max(f.last_at) - min(f.first_at) >= interval '5 minutes';
end;

comment on function agentdb.rule_budget_refused (timestamptz) is
  'Budgets that refused an agent within policy.budget_refused_window, spent, or set '
  'aside for five minutes.';


create or replace view agentdb.budget_refused as
  select r.labels, r.value, r.annotations
  from agentdb.rule_budget_refused(statement_timestamp()) as r;

comment on view agentdb.budget_refused is
  'Rule: budgets that refused an agent what it asked for.';

select agentdb._declare_rule(
  rule_name => 'budget_refused',
  severity => 'warning',
  health => 'overspending',
  why => 'An agent that its budget refuses works no more, or works on uncounted.',
  evidence => $$
    select f.minute_at, f.run_id, f.conversation, f.refusals, f.asked, f.tokens_left,
      f.spent
    from agentdb.budget_refusal as f
    join agentdb.run as r on r.run_id = f.run_id
    join agentdb.agent as a on a.agent_id = f.agent_id
    where (a.agent_name = :labels ->> 'agent' or f.scope = 'tree'
        and coalesce(r.root_run_id, r.run_id)::text = :labels ->> 'run')
      and f.scope = :labels ->> 'scope'
      and f.conversation = coalesce(:labels ->> 'conversation', f.conversation)
      and f.first_at <= :at
    order by f.minute_at desc
    limit 10
  $$,
  ends_when => 'nothing more is refused for policy.budget_refused_window',
  remedy => $$
    Let it be over, or raise the budget: a row of agentdb.budget_override, or the
    policy of {agent}.
    agentdb why {agent}
    agentdb pause {agent} --reason …
  $$,
  ends_with_run => true
);
