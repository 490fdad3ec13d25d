-- Budgets: tokens are set aside BEFORE the prompt is sent, because afterwards they are
-- spent.  What is spent is what the logs say, and what was only counted (unstored.sql);
-- what is reserved are the open reservations. No counter is kept beside them that could
-- drift, and logging tokens waits for nobody.

create or replace function agentdb._budget_limit (agent bigint)
  returns table (scope text, max_tokens bigint, max_cost double precision)
  language sql
  stable
begin atomic
  with own as (
    select l.scope, o.agent_id is not null as own,
      case when o.agent_id is null then l.max_tokens else o.max_tokens end
        as max_tokens,
      case when o.agent_id is null then l.max_cost else o.max_cost end as max_cost
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    cross join lateral (
      values
        ('agent_day', p.agent_day_budget_tokens, p.agent_day_budget_cost),
        ('conversation', p.conversation_budget_tokens, p.conversation_budget_cost),
        ('run', p.run_budget_tokens, p.run_budget_cost),
        ('tree', p.tree_budget_tokens, p.tree_budget_cost)
    ) as l (scope, max_tokens, max_cost)
    left join agentdb.budget_override as o
      on o.agent_id = a.agent_id
      and o.scope = l.scope
    where a.agent_id = agent
  )
  select l.scope,
    coalesce(l.max_tokens, case when l.scope = 'tree' and not l.own
      then coalesce(r.max_tokens,
        least(c.max_tokens * 4::numeric, 9223372036854775807)::bigint) end),
    coalesce(l.max_cost, case when l.scope = 'tree' and not l.own
      then coalesce(r.max_cost, c.max_cost * 4) end)
  from own as l
  join own as r on r.scope = 'run'
  join own as c on c.scope = 'conversation';
end;

comment on function agentdb._budget_limit (bigint) is
  'The budgets of an agent: its own where budget_override has them, else its '
  'policy''s; of a tree that none is set for, what a run may use, else four times what '
  'a conversation may.';


-- Where its first run is kept no more, a run is the first of its own.
create or replace function agentdb._root_of (run bigint)
  returns table (run_id bigint, agent_id bigint)
  language sql
  stable
begin atomic
  select coalesce(f.run_id, r.run_id), coalesce(f.agent_id, r.agent_id)
  from agentdb.run as r
  left join agentdb.run as f on f.run_id = r.root_run_id
  where r.run_id = run;
end;

comment on function agentdb._root_of (bigint) is
  'The first run of the tree that a run belongs to, which its budget goes by.';


create or replace function agentdb._tree_members (root bigint)
  returns table (run_id bigint, agent_id bigint)
  language sql
  stable
begin atomic
  select r.run_id, r.agent_id from agentdb.run as r where r.run_id = root
  union all
  select r.run_id, r.agent_id from agentdb.run as r where r.root_run_id = root;
end;

comment on function agentdb._tree_members (bigint) is
  'A first run and all that descend from it.';


create or replace function agentdb._budget_day ()
  returns timestamptz
  language sql
  volatile
  return date_trunc('day', clock_timestamp() at time zone 'UTC') at time zone 'UTC';

comment on function agentdb._budget_day () is
  'When the day of daily budgets began: the last midnight UTC.';


-- One statement, so that the totals and the tail above them are of the same moment.
create or replace function agentdb._spent (
  run bigint,
  agent bigint,
  conversation text,
  root bigint
)
  returns table (
    scope text, tokens bigint, cost numeric, input_cost numeric,
    cached_input_cost numeric, output_cost numeric
  )
  language sql
  stable
begin atomic
  with member as (
    select r.run_id
    from agentdb.run as r
    where r.agent_id = agent
      and r.conversation = _spent.conversation
  ),
  today (since) as (
    select agentdb._budget_day()
  ),
  kin as materialized (
    select m.run_id from agentdb._tree_members(root) as m
  ),
  tail as materialized (
    select t.run_id, t.recorded_at, t.cost, t.input_cost, t.cached_input_cost,
      t.output_cost, t.agent_id = agent as own,
      t.input_tokens + t.cached_input_tokens + t.output_tokens as tokens
    from agentdb._uncounted_tokens() as t
    where t.agent_id = agent or t.run_id in (select k.run_id from kin as k)
    union all
    -- Of a day as a whole: half hours are of one.
    select u.run_id, u.half_hour_at, u.cost, u.input_cost, u.cached_input_cost,
      u.output_cost, u.agent_id = agent,
      u.input_tokens + u.cached_input_tokens + u.output_tokens
    from agentdb.event_unstored as u
    where u.agent_id = agent or u.run_id in (select k.run_id from kin as k)
  ),
  part (scope, tokens, cost, input_cost, cached_input_cost, output_cost) as (
    select 'run', a.input_tokens + a.cached_input_tokens + a.output_tokens, a.cost,
      a.input_cost, a.cached_input_cost, a.output_cost
    from agentdb.run_activity as a
    where a.run_id = run
    union all
    select 'run', t.tokens, t.cost, t.input_cost, t.cached_input_cost, t.output_cost
    from tail as t
    where t.run_id = run
    union all
    select 'conversation',
      a.input_tokens + a.cached_input_tokens + a.output_tokens, a.cost,
      a.input_cost, a.cached_input_cost, a.output_cost
    from agentdb.run_activity as a
    where a.run_id in (select m.run_id from member as m)
    union all
    select 'conversation', t.tokens, t.cost, t.input_cost, t.cached_input_cost,
      t.output_cost
    from tail as t
    where t.run_id in (select m.run_id from member as m)
    union all
    select 'agent_day', h.input_tokens + h.cached_input_tokens + h.output_tokens,
      h.cost, h.input_cost, h.cached_input_cost, h.output_cost
    from today as d
    join agentdb.token_half_hour as h
      on h.agent_id = agent
      and h.half_hour_at >= d.since
    union all
    select 'agent_day', t.tokens, t.cost, t.input_cost, t.cached_input_cost,
      t.output_cost
    from today as d
    join tail as t on t.own and t.recorded_at >= d.since
    union all
    select 'tree', a.input_tokens + a.cached_input_tokens + a.output_tokens, a.cost,
      a.input_cost, a.cached_input_cost, a.output_cost
    from kin as k
    join agentdb.run_activity as a on a.run_id = k.run_id
    union all
    select 'tree', t.tokens, t.cost, t.input_cost, t.cached_input_cost, t.output_cost
    from tail as t
    where t.run_id in (select k.run_id from kin as k)
  )
  select p.scope, sum(p.tokens)::bigint, sum(p.cost), sum(p.input_cost),
    sum(p.cached_input_cost), sum(p.output_cost)
  from part as p
  group by p.scope;
end;

comment on function agentdb._spent (bigint, bigint, text, bigint) is
  'What a run, its conversation, its tree and its agent today have spent, to the last '
  'committed event.';


create or replace function agentdb._reserved (
  run bigint,
  agent bigint,
  conversation text,
  root bigint
)
  returns table (scope text, tokens bigint)
  language sql
  stable
begin atomic
  with kin as materialized (
    select m.run_id, m.agent_id from agentdb._tree_members(root) as m
  )
  select s.scope, sum(v.tokens)::bigint
  from agentdb.token_reservation as v
  cross join lateral (
    values
      ('agent_day', v.agent_id = agent),
      ('conversation',
        v.agent_id = agent and v.conversation = _reserved.conversation),
      ('run', v.run_id = run),
      ('tree', v.run_id in (select k.run_id from kin as k))
  ) as s (scope, counts)
  -- What is open of an agent are few: by an index there is.
  where v.agent_id = any (array(
      select agent union select k.agent_id from kin as k))
    and v.settled_at is null
    and v.expires_at > clock_timestamp()
    and s.counts
  group by s.scope;
end;

comment on function agentdb._reserved (bigint, bigint, text, bigint) is
  'What is set aside in a run, its conversation, its tree and by its agent.';


create or replace function agentdb._cost_apart (
  input_cost numeric,
  cached_input_cost numeric,
  output_cost numeric
)
  returns text
  language sql
  immutable
  return case
    when input_cost + cached_input_cost + output_cost = 0 then ''
    else format(' (input %s, cached input %s, output %s)', round(input_cost, 2),
      round(cached_input_cost, 2), round(output_cost, 2))
  end;

comment on function agentdb._cost_apart (numeric, numeric, numeric) is
  'A cost by its kinds, in words; nothing where only totals are known.';


create or replace function agentdb._budget (run bigint, agent bigint, conversation text)
  returns table (
    scope text, max_tokens bigint, spent bigint, reserved bigint, tokens_left bigint,
    max_cost double precision, cost numeric, input_cost numeric,
    cached_input_cost numeric, output_cost numeric
  )
  language sql
  stable
begin atomic
  select
    l.scope, l.max_tokens, coalesce(s.tokens, 0), coalesce(v.tokens, 0),
    -- Without a limit it is NULL, which greatest() would pass over.
    case when l.max_tokens is not null
      then greatest(0, l.max_tokens - coalesce(s.tokens, 0) - coalesce(v.tokens, 0))
    end,
    l.max_cost, coalesce(s.cost, 0), coalesce(s.input_cost, 0),
    coalesce(s.cached_input_cost, 0), coalesce(s.output_cost, 0)
  from (select) as one
  left join agentdb._root_of(run) as f on true
  cross join lateral (
    select o.* from agentdb._budget_limit(agent) as o where o.scope <> 'tree'
    union all
    -- Whoever began it answers for what they use together.
    select o.* from agentdb._budget_limit(f.agent_id) as o where o.scope = 'tree'
  ) as l
  left join agentdb._spent(run, agent, conversation, f.run_id) as s
    on s.scope = l.scope
  left join agentdb._reserved(run, agent, conversation, f.run_id) as v
    on v.scope = l.scope;
end;

comment on function agentdb._budget (bigint, bigint, text) is
  'Each budget that a run is under: its limit, what is spent, reserved and left.';
