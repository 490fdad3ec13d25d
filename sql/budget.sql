-- Budgets: tokens are set aside BEFORE the prompt is sent, because afterwards they are
-- spent.  What is spent is what the logs say; what is reserved are the open reservations.
-- No counter is kept beside them that could drift, and logging tokens waits for nobody.

create or replace function agentdb._budget_limit (agent bigint)
  returns table (scope text, max_tokens bigint, max_cost double precision)
  language sql
  stable
begin atomic
  select l.scope,
    case when o.agent_id is null then l.max_tokens else o.max_tokens end,
    case when o.agent_id is null then l.max_cost else o.max_cost end
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral (
    values
      ('agent_day', p.agent_day_budget_tokens, p.agent_day_budget_cost),
      ('conversation', p.conversation_budget_tokens, p.conversation_budget_cost),
      ('run', p.run_budget_tokens, p.run_budget_cost)
  ) as l (scope, max_tokens, max_cost)
  left join agentdb.budget_override as o
    on o.agent_id = a.agent_id
    and o.scope = l.scope
  where a.agent_id = agent;
end;

comment on function agentdb._budget_limit (bigint) is
  'The budgets of an agent: its own where budget_override has them, else its policy''s.';


-- One statement, so that the totals and the tail above them are of the same moment.
create or replace function agentdb._spent (run bigint, agent bigint, conversation text)
  returns table (scope text, tokens bigint, cost numeric)
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
    select date_trunc('day', clock_timestamp() at time zone 'UTC') at time zone 'UTC'
  ),
  tail as materialized (
    select t.run_id, t.recorded_at, t.cost,
      t.input_tokens + t.cached_input_tokens + t.output_tokens as tokens
    from agentdb.token_log as t
    where t.xid >= agentdb._horizon()
      and t.agent_id = agent
  ),
  part (scope, tokens, cost) as (
    select 'run', a.input_tokens + a.cached_input_tokens + a.output_tokens, a.cost
    from agentdb.run_activity as a
    where a.run_id = run
    union all
    select 'run', t.tokens, t.cost from tail as t where t.run_id = run
    union all
    select 'conversation',
      a.input_tokens + a.cached_input_tokens + a.output_tokens, a.cost
    from agentdb.run_activity as a
    where a.run_id in (select m.run_id from member as m)
    union all
    select 'conversation', t.tokens, t.cost
    from tail as t
    where t.run_id in (select m.run_id from member as m)
    union all
    select 'agent_day', h.input_tokens + h.cached_input_tokens + h.output_tokens, h.cost
    from today as d
    join agentdb.token_hour as h on h.agent_id = agent and h.hour_at >= d.since
    union all
    select 'agent_day', t.tokens, t.cost
    from today as d
    join tail as t on t.recorded_at >= d.since
  )
  select p.scope, sum(p.tokens)::bigint, sum(p.cost)
  from part as p
  group by p.scope;
end;

comment on function agentdb._spent (bigint, bigint, text) is
  'What a run, its conversation and its agent today have spent, to the last committed '
  'event.';


create or replace function agentdb._reserved (run bigint, agent bigint, conversation text)
  returns table (scope text, tokens bigint)
  language sql
  stable
begin atomic
  select s.scope, sum(v.tokens)::bigint
  from agentdb.token_reservation as v
  cross join lateral (
    values
      ('agent_day', true),
      ('conversation', v.conversation = _reserved.conversation),
      ('run', v.run_id = run)
  ) as s (scope, counts)
  where v.agent_id = agent
    and v.settled_at is null
    and v.expires_at > clock_timestamp()
    and s.counts
  group by s.scope;
end;

comment on function agentdb._reserved (bigint, bigint, text) is
  'What is set aside in a run, its conversation and by its agent.';


create or replace function agentdb._budget (run bigint, agent bigint, conversation text)
  returns table (
    scope text, max_tokens bigint, spent bigint, reserved bigint, tokens_left bigint,
    max_cost double precision, cost numeric
  )
  language sql
  stable
begin atomic
  select
    l.scope, l.max_tokens, coalesce(s.tokens, 0), coalesce(v.tokens, 0),
    greatest(0, l.max_tokens - coalesce(s.tokens, 0) - coalesce(v.tokens, 0)),
    l.max_cost, coalesce(s.cost, 0)
  from agentdb._budget_limit(agent) as l
  left join agentdb._spent(run, agent, conversation) as s on s.scope = l.scope
  left join agentdb._reserved(run, agent, conversation) as v on v.scope = l.scope;
end;

comment on function agentdb._budget (bigint, bigint, text) is
  'Each budget that a run is under: its limit, what is spent, reserved and left.';


create or replace function agentdb._check_reservation (estimate bigint, max_output bigint)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if estimate is null or max_output is null or estimate < 0 or max_output < 0
    or estimate + max_output not between 1 and 1000000000 then
    perform agentdb._refuse(
      format('estimate %s and max_output %s are nothing to reserve',
        coalesce(estimate::text, 'NULL'), coalesce(max_output::text, 'NULL')),
      'Give the tokens of the prompt, about a quarter of its characters, and the most '
        'that the model may answer.'
    );
  end if;
end;
$$;

comment on function agentdb._check_reservation (bigint, bigint) is
  'Raises ZA004 for token counts that cannot be reserved.';


-- The gate is a row that every reservation of the agent changes: they pass one after
-- another, and one with an older snapshot (REPEATABLE READ) fails to serialize instead of
-- counting what it cannot see.
create or replace function agentdb._pass_gate (agent bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.budget_gate as g set passed = g.passed + 1 where g.agent_id = agent;
  if not found then
    insert into agentdb.budget_gate as g (agent_id) values (agent)
    on conflict on constraint budget_gate_pkey do update set passed = g.passed + 1;
  end if;
end;
$$;

comment on function agentdb._pass_gate (bigint) is
  'Lets the reservations of an agent through one at a time, until each commits.';


create or replace function agentdb._budget_advice (scope text)
  returns text
  language sql
  immutable
  return case scope
    when 'conversation' then 'Begin a new conversation with a summary of this one, or '
      'read less: grep or head before whole files.'
    when 'run' then 'End this run; what is left is for another.'
    else 'The agent''s budget of the day is used up: end the run and go on tomorrow, or '
      'have an operator raise it.'
  end;

comment on function agentdb._budget_advice (text) is
  'What to do when a budget does not suffice.';


create or replace function agentdb.reserve_tokens (
  estimate bigint,
  max_output bigint default 0,
  run bigint default null
)
  returns table (
    granted boolean, reservation bigint, expires_at timestamptz, scope text,
    tokens_left bigint, advice text
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_run_id bigint;
  v_agent_id bigint;
  v_conversation text;
  v_ttl interval;
begin
  perform agentdb._check_reservation(estimate, max_output);
  select c.run_id, c.agent_id, r.conversation, p.reservation_ttl
    into v_run_id, v_agent_id, v_conversation, v_ttl
  from agentdb._current_run(reserve_tokens.run) as c
  join agentdb.run as r on r.run_id = c.run_id
  join agentdb.agent as a on a.agent_id = c.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name;
  perform agentdb._pass_gate(v_agent_id);
  -- The scope that has the least left; a cost that is used up leaves nothing.
  select b.scope, case when b.cost >= b.max_cost then 0 else b.tokens_left end
    into reserve_tokens.scope, reserve_tokens.tokens_left
  from agentdb._budget(v_run_id, v_agent_id, v_conversation) as b
  where b.max_tokens is not null or b.cost >= b.max_cost
  order by 2
  limit 1;
  granted := coalesce(estimate + max_output <= tokens_left, true);
  if granted then
    insert into agentdb.token_reservation as v (
      run_id, agent_id, conversation, tokens, prompt_tokens, expires_at
    )
    values (
      v_run_id, v_agent_id, v_conversation, estimate + max_output, estimate,
      clock_timestamp() + v_ttl
    )
    returning v.token_reservation_id, v.expires_at
      into reserve_tokens.reservation, reserve_tokens.expires_at;
    tokens_left := tokens_left - estimate - max_output;
  else
    advice := agentdb._budget_advice(scope);
  end if;
  return next;
end;
$$;

comment on function agentdb.reserve_tokens (bigint, bigint, bigint) is
  'Sets tokens aside before a prompt, or says in which scope (agent_day, conversation, run) '
  'too few are left and what to do; never lets spent and reserved exceed a budget; raises '
  'ZA001, ZA003 or ZA004.';


-- Usage is a fact: it is recorded in full also where it exceeds what was reserved, and
-- where the reservation has expired.
create or replace function agentdb.settle_tokens (
  reservation bigint,
  input bigint,
  output bigint,
  cached_input bigint default 0,
  reasoning bigint default 0,
  model text default null,
  cost double precision default 0,
  run bigint default null
)
  returns table (run_id bigint, repeated boolean)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._check_tokens(input, output, cached_input, reasoning, cost);
  select c.run_id into settle_tokens.run_id
  from agentdb._current_run(settle_tokens.run) as c;
  update agentdb.token_reservation as v
  set settled_at = clock_timestamp()
  where v.token_reservation_id = reservation
    and v.run_id = settle_tokens.run_id
    and v.settled_at is null;
  repeated := not found;
  if not repeated then
    perform agentdb.log_tokens(
      input, output, cached_input, reasoning, model, cost, settle_tokens.run_id);
  elsif not exists (
    select from agentdb.token_reservation as v
    where v.token_reservation_id = reservation and v.run_id = settle_tokens.run_id
  ) then
    raise exception 'run % has no reservation %', settle_tokens.run_id,
        coalesce(reservation::text, 'NULL')
      using errcode = 'ZA006',
            hint = 'Use the number that reserve_tokens() returned to this run, or record '
              'the usage without one: select * from agentdb.log_tokens(input, output);';
  end if;
  return next;
end;
$$;

comment on function agentdb.settle_tokens (
  bigint, bigint, bigint, bigint, bigint, text, double precision, bigint) is
  'Records what a reserved prompt really used and frees the rest; a cancelled one settles '
  'to its input; a second time changes nothing; raises ZA001, ZA003, ZA004 or ZA006.';


create or replace function agentdb.remaining_budget (run bigint default null)
  returns table (
    scope text, max_tokens bigint, spent bigint, reserved bigint, tokens_left bigint,
    max_cost double precision, cost double precision
  )
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return query
    select b.scope, b.max_tokens, b.spent, b.reserved, b.tokens_left, b.max_cost,
      b.cost::double precision
    from agentdb._current_run(remaining_budget.run) as c
    join agentdb.run as r on r.run_id = c.run_id
    cross join lateral agentdb._budget(c.run_id, c.agent_id, r.conversation) as b
    order by b.scope;
end;
$$;

comment on function agentdb.remaining_budget (bigint) is
  'Says for each budget of the run what is spent, reserved and left; NULL left is no limit; '
  'raises ZA001 or ZA003.';
