-- Reservations: tokens are set aside before a prompt and settled after it.

create or replace function agentdb._check_reservation (
  estimate bigint,
  max_output bigint
)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if estimate is null or max_output is null or estimate < 0 or max_output < 0
    or estimate::numeric + max_output not between 1 and 1000000000 then
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
  v_low double precision;
  v_nearly double precision;
  v_advice text;
  v_root bigint;
  v_reserved bigint;
  v_max bigint;
begin
  perform agentdb._check_reservation(estimate, max_output);
  select c.run_id, c.agent_id, r.conversation, p.reservation_ttl,
    p.budget_low_share, p.budget_nearly_spent_share, c.advice,
    (select f.run_id from agentdb._root_of(c.run_id) as f)
    into v_run_id, v_agent_id, v_conversation, v_ttl, v_low, v_nearly, v_advice, v_root
  from agentdb._current_run(reserve_tokens.run) as c
  join agentdb.run as r on r.run_id = c.run_id
  join agentdb.agent as a on a.agent_id = c.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name;
  perform agentdb._pass_gate(v_agent_id, v_root);
  -- The scope that has the least left; a cost that is used up leaves nothing.
  select b.scope, case when b.cost >= b.max_cost then 0 else b.tokens_left end,
    case when b.cost >= b.max_cost then 0 else b.reserved end, b.max_tokens
    into reserve_tokens.scope, reserve_tokens.tokens_left, v_reserved, v_max
  from agentdb._budget(v_run_id, v_agent_id, v_conversation) as b
  where b.max_tokens is not null or b.cost >= b.max_cost
  order by 2, array_position('{run,conversation,tree,agent_day}', b.scope)
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
    advice := coalesce(v_advice,
      agentdb._low_advice(scope, v_max, tokens_left, v_low, v_nearly));
  else
    perform agentdb._note_budget_refusal(v_run_id, v_agent_id, v_conversation, scope,
      estimate + max_output, tokens_left,
      estimate + max_output > tokens_left + v_reserved);
    advice := case
      when estimate + max_output <= tokens_left + v_reserved
      then agentdb._reserved_advice(v_run_id, v_agent_id, v_conversation, scope)
      else agentdb._budget_advice(scope)
    end;
  end if;
  return next;
end;
$$;

comment on function agentdb.reserve_tokens (bigint, bigint, bigint) is
  'Sets tokens aside before a prompt, or says in which scope (agent_day, conversation, '
  'run, tree) too few are left; advice says what to do, or what the run should know; '
  'never lets spent and reserved exceed a budget; raises ZA001, ZA003, ZA004, or 55P03 '
  'where others are just asking: try again.';


-- Usage is a fact: it is recorded in full also where it exceeds what was reserved, and
-- where the reservation has expired.
create or replace function agentdb.settle_tokens (
  reservation bigint,
  input bigint,
  output bigint,
  cached_input bigint default 0,
  reasoning bigint default 0,
  model text default null,
  cost double precision default null,
  run bigint default null,
  input_cost numeric default null,
  cached_input_cost numeric default null,
  output_cost numeric default null,
  priced_by text default null,
  response_id text default null,
  cached_within boolean default null
)
  returns table (run_id bigint, repeated boolean, advice text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  if agentdb._are_tokens(input, output, cached_input, reasoning) is not true then
    perform agentdb._refuse_tokens(input, output, cached_input, reasoning);
  end if;
  perform agentdb._apart(input, cached_input, cached_within);
  perform agentdb._total_cost(cost, input_cost, cached_input_cost, output_cost);
  select c.run_id into settle_tokens.run_id
  from agentdb._current_run(settle_tokens.run) as c;
  update agentdb.token_reservation as v
  set settled_at = clock_timestamp()
  where v.token_reservation_id = reservation
    and v.run_id = settle_tokens.run_id
    and v.settled_at is null;
  repeated := not found;
  if not repeated then
    select l.advice into settle_tokens.advice
    from agentdb.log_tokens(
      input, output, cached_input, reasoning, model, cost, settle_tokens.run_id,
      input_cost, cached_input_cost, output_cost, priced_by, response_id,
      cached_within) as l;
  elsif not exists (
    select from agentdb.token_reservation as v
    where v.token_reservation_id = reservation and v.run_id = settle_tokens.run_id
  ) then
    raise exception 'run % has no reservation %', settle_tokens.run_id,
        coalesce(reservation::text, 'NULL')
      using errcode = 'ZA006',
            hint = 'Use the number that reserve_tokens() returned to this run, or '
              'record the usage without one: '
              'select * from agentdb.log_tokens(input, output);';
  end if;
  return next;
end;
$$;

comment on function agentdb.settle_tokens (
  bigint, bigint, bigint, bigint, bigint, text, double precision, bigint, numeric,
  numeric, numeric, text, text, boolean) is
  'Records what a reserved prompt really used and frees the rest; a cancelled one '
  'settles '
  'to its input; a second time changes nothing; raises ZA001, ZA003, ZA004 or ZA006.';


create or replace function agentdb._cancel_reservations (run bigint)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_cancelled jsonb;
begin
  with cancelled as (
    update agentdb.token_reservation as v
    set expires_at = clock_timestamp()
    where v.token_reservation_id = any (array(
      select o.token_reservation_id
      from agentdb.token_reservation as o
      where o.run_id = _cancel_reservations.run
        and o.settled_at is null
        and o.expires_at > clock_timestamp()
      for no key update skip locked
    ))
    returning v.tokens
  )
  select jsonb_build_object('count', count(*), 'tokens', sum(c.tokens))
    into v_cancelled
  from cancelled as c
  having count(*) > 0;
  return v_cancelled;
end;
$$;

comment on function agentdb._cancel_reservations (bigint) is
  'Gives back what a run that is over has set aside and says how much, NULL for none.';


create or replace function agentdb.remaining_budget (run bigint default null)
  returns table (
    scope text, max_tokens bigint, spent bigint, reserved bigint, tokens_left bigint,
    max_cost double precision, cost double precision, input_cost numeric,
    cached_input_cost numeric, output_cost numeric, advice text
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
      b.cost::double precision, b.input_cost, b.cached_input_cost, b.output_cost,
      case when b.spent >= b.max_tokens or b.cost >= b.max_cost
        then agentdb._budget_advice(b.scope)
      end
    from agentdb._current_run(remaining_budget.run) as c
    join agentdb.run as r on r.run_id = c.run_id
    cross join lateral agentdb._budget(c.run_id, c.agent_id, r.conversation) as b
    order by b.scope;
end;
$$;

comment on function agentdb.remaining_budget (bigint) is
  'Says for each budget of the run what is spent, reserved and left (NULL: no limit), '
  'and what to do where it is used up; raises ZA001 or ZA003.';
