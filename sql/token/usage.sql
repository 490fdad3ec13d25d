-- Tokens: what every model call cost.  Input that came from the provider's cache is
-- kept apart, because it costs a tenth and says something else.  So is what each kind
-- cost: a context bomb shows in the cost of the input and not in that of the output.

create or replace function agentdb._are_tokens (
  input bigint,
  output bigint,
  cached_input bigint,
  reasoning bigint
)
  returns boolean
  language sql
  immutable
  return input >= 0 and input <= 1000000000
    and output >= 0 and output <= 1000000000
    and cached_input >= 0 and cached_input <= 1000000000
    and reasoning >= 0 and reasoning <= output;

comment on function agentdb._are_tokens (bigint, bigint, bigint, bigint) is
  'Whether these can be token counts; NULL or false where not.';


create or replace function agentdb._refuse_tokens (
  input bigint,
  output bigint,
  cached_input bigint,
  reasoning bigint
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._refuse(
    format('input %s, output %s, cached_input %s, reasoning %s are no token counts',
      coalesce(input::text, 'NULL'), coalesce(output::text, 'NULL'),
      coalesce(cached_input::text, 'NULL'), coalesce(reasoning::text, 'NULL')),
    'Each lies between 0 and 1000000000; input leaves out what came from the cache; '
      'reasoning is a part of output.'
  );
end;
$$;

comment on function agentdb._refuse_tokens (bigint, bigint, bigint, bigint) is
  'Raises ZA004 for token counts that cannot be.';


-- OpenAI and its like count what came from the cache within the input, in steps of 128
-- from 1024 on; Anthropic counts it beside.  Who knows says so; a number alone proves
-- nothing, and is left as it is.
create or replace function agentdb._apart (
  input bigint,
  cached_input bigint,
  cached_within boolean
)
  returns bigint
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if cached_within is not true then
    return input;
  elsif cached_input > input then
    perform agentdb._refuse(
      format('cached_input %s is no part of input %s', cached_input, input),
      'Give what the provider says: where input leaves out what came from the cache, '
        'say cached_within => false.');
  end if;
  return input - cached_input;
end;
$$;

comment on function agentdb._apart (bigint, bigint, boolean) is
  'The input without what came from the cache, also where the caller counts it within; '
  'raises ZA004.';


create or replace function agentdb._cached_advice (
  input bigint,
  cached_input bigint,
  cached_within boolean
)
  returns text
  language sql
  immutable
  return case
    when cached_within is null and cached_input >= 1024 and cached_input % 128 = 0
      and input >= cached_input
    then format('cached_input %s looks like a part of input %s, as OpenAI counts it, '
      'and would be counted twice: say cached_within => true where it is, false where '
      'not.',
      cached_input, input)
  end;

comment on function agentdb._cached_advice (bigint, bigint, boolean) is
  'What a caller is told whose cached input seems to be counted within its input.';


-- NULL is a cost that nobody knows, which is none of 0.  A double is taken by its 15
-- digits, so that 0.1 is a tenth.
create or replace function agentdb._total_cost (
  cost double precision,
  input_cost numeric,
  cached_input_cost numeric,
  output_cost numeric
)
  returns numeric
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_parts numeric;
begin
  -- NaN is greater than every number to PostgreSQL.
  if least(cost::numeric, input_cost, cached_input_cost, output_cost) < 0
    or greatest(cost::numeric, input_cost, cached_input_cost, output_cost) > 1000000000
  then
    perform agentdb._refuse(
      format('cost %s, input_cost %s, cached_input_cost %s, output_cost %s are no '
          'amounts', coalesce(cost::text, 'NULL'), coalesce(input_cost::text, 'NULL'),
        coalesce(cached_input_cost::text, 'NULL'),
        coalesce(output_cost::text, 'NULL')),
      'Give what the call cost in your currency, between 0 and 1000000000, or nothing '
        'where you do not know.'
    );
  end if;
  if coalesce(input_cost, cached_input_cost, output_cost) is null then
    return round(cost::numeric, 9);
  end if;
  v_parts := coalesce(round(input_cost, 9), 0)
    + coalesce(round(cached_input_cost, 9), 0) + coalesce(round(output_cost, 9), 0);
  -- Who rounds each part rounds the total too.
  if abs(v_parts - cost::numeric) > 0.000001 then
    perform agentdb._refuse(
      format('the parts of the cost are %s together, and not %s', v_parts, cost),
      'Leave cost out: it is what input_cost, cached_input_cost and output_cost add up '
        'to.'
    );
  end if;
  return v_parts;
end;
$$;

comment on function agentdb._total_cost (double precision, numeric, numeric, numeric) is
  'What a call cost: the sum of its parts, or the total where that alone is known; '
  'raises ZA004 for what is no amount.';


create or replace function agentdb.log_tokens (
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
  returns table (
    run_id bigint, recorded_at timestamptz, repeated boolean, advice text
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_run record;
  v_cost numeric;
  v_apart boolean := coalesce(input_cost, cached_input_cost, output_cost) is not null;
begin
  if agentdb._are_tokens(input, output, cached_input, reasoning) is not true then
    perform agentdb._refuse_tokens(input, output, cached_input, reasoning);
  end if;
  if cached_input > 0 then
    advice := agentdb._cached_advice(input, cached_input, cached_within);
    input := agentdb._apart(input, cached_input, cached_within);
  end if;
  v_cost := agentdb._total_cost(cost, input_cost, cached_input_cost, output_cost);
  model := agentdb._clean_line(model, 200);
  v_run := agentdb._current_run(run);
  run_id := v_run.run_id;
  if v_run.capped then
    repeated := agentdb._count_usages(v_run.run_id, v_run.agent_id,
      jsonb_build_array(jsonb_build_object('input', input, 'output', output,
        'cached_input', cached_input, 'model', model,
        'cost', v_cost, 'input_cost', input_cost, 'output_cost', output_cost,
        'cached_input_cost', cached_input_cost, 'response_id', response_id))) = 0;
    advice := agentdb._cap_advice(v_run.agent_id, advice);
    return next;
    return;
  end if;
  repeated := case when response_id is not null
    then not agentdb._see_usage(v_run.agent_id, response_id) else false end;
  if repeated then
    return next;
    return;
  end if;
  insert into agentdb.token_log as t (
    run_id, agent_id, input_tokens, cached_input_tokens, output_tokens,
    reasoning_tokens, cost, model, input_cost, cached_input_cost, output_cost, priced_by
  )
  values (
    v_run.run_id, v_run.agent_id, input, cached_input, output, reasoning, v_cost,
    model,
    -- A part that is not given beside another is nothing.
    case when v_apart then coalesce(input_cost, 0) end,
    case when v_apart then coalesce(cached_input_cost, 0) end,
    case when v_apart then coalesce(output_cost, 0) end,
    agentdb._clean_line(priced_by, 200)
  )
  returning t.recorded_at into log_tokens.recorded_at;
  return next;
end;
$$;

comment on function agentdb.log_tokens (
  bigint, bigint, bigint, bigint, text, double precision, bigint, numeric, numeric,
  numeric, text, text, boolean) is
  'Records the tokens of one model call, once per response_id: input without the '
  'cached part, or cached_within it; output with its reasoning part; the cost by these '
  'kinds, or as a total, or not where nobody knows; raises ZA001, ZA003 or ZA004.';
