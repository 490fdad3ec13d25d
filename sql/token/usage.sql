-- Tokens: what every model call cost.  Input that came from the provider's cache is
-- kept apart, because it costs a tenth and says something else.

create or replace function agentdb._check_tokens (
  input bigint,
  output bigint,
  cached_input bigint,
  reasoning bigint,
  cost double precision
)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if input is null or output is null or cached_input is null or reasoning is null
    or least(input, output, cached_input, reasoning) < 0
    or greatest(input, output, cached_input, reasoning) > 1000000000
    or reasoning > output then
    perform agentdb._refuse(
      format('input %s, output %s, cached_input %s, reasoning %s are no token counts',
        coalesce(input::text, 'NULL'), coalesce(output::text, 'NULL'),
        coalesce(cached_input::text, 'NULL'), coalesce(reasoning::text, 'NULL')),
      'Each lies between 0 and 1000000000; input leaves out what came from the cache; '
        'reasoning is a part of output.'
    );
  -- NaN is greater than every number to PostgreSQL.
  elsif cost is null or cost < 0 or cost > 1000000000 then
    perform agentdb._refuse(
      format('cost %s is no amount', coalesce(cost::text, 'NULL')),
      'Give what the call cost in your currency, between 0 and 1000000000.'
    );
  end if;
end;
$$;

comment on function agentdb._check_tokens (
  bigint, bigint, bigint, bigint, double precision) is
  'Raises ZA004 for token counts or a cost that cannot be.';


create or replace function agentdb.log_tokens (
  input bigint,
  output bigint,
  cached_input bigint default 0,
  reasoning bigint default 0,
  model text default null,
  cost double precision default 0,
  run bigint default null
)
  returns table (run_id bigint, recorded_at timestamptz)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint;
begin
  perform agentdb._check_tokens(input, output, cached_input, reasoning, cost);
  select c.run_id, c.agent_id into log_tokens.run_id, v_agent_id
  from agentdb._current_run(log_tokens.run) as c;
  insert into agentdb.token_log as t (
    run_id, agent_id, input_tokens, cached_input_tokens, output_tokens,
    reasoning_tokens, cost, model
  )
  values (
    log_tokens.run_id, v_agent_id, input, cached_input, output, reasoning, cost,
    agentdb._clean_line(model, 200)
  )
  returning t.recorded_at into log_tokens.recorded_at;
  return next;
end;
$$;

comment on function agentdb.log_tokens (
  bigint, bigint, bigint, bigint, text, double precision, bigint) is
  'Records the tokens of one model call: input without the cached part, output with '
  'its reasoning part; raises ZA001, ZA003 or ZA004.';


create or replace function agentdb.log_tokens_many (
  usages jsonb,
  run bigint default null
)
  returns table (run_id bigint, recorded integer)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_usage jsonb;
begin
  usages := agentdb._unquoted(usages);
  perform agentdb._check_rows(usages, 'input');
  select c.run_id into log_tokens_many.run_id
  from agentdb._current_run(log_tokens_many.run) as c;
  recorded := 0;
  for v_usage in select e.item from jsonb_array_elements(usages) as e (item)
  loop
    perform agentdb.log_tokens(
      input => agentdb._json_text(v_usage, 'input')::bigint,
      output => coalesce(agentdb._json_text(v_usage, 'output')::bigint, 0),
      cached_input => coalesce(agentdb._json_text(v_usage, 'cached_input')::bigint, 0),
      reasoning => coalesce(agentdb._json_text(v_usage, 'reasoning')::bigint, 0),
      model => agentdb._json_text(v_usage, 'model'),
      cost => coalesce(agentdb._json_text(v_usage, 'cost')::double precision, 0),
      run => log_tokens_many.run_id
    );
    recorded := recorded + 1;
  end loop;
  return next;
exception when invalid_text_representation or numeric_value_out_of_range then
  perform agentdb._refuse(
    format('a row of the array is ill-formed: %s', sqlerrm),
    'Token counts are whole numbers and cost is a number; nothing of this call was '
      'recorded.'
  );
end;
$$;

comment on function agentdb.log_tokens_many (jsonb, bigint) is
  'Records a JSON array of {input, output, cached_input, reasoning, model, cost}, '
  'all or none; raises ZA001, ZA003 or ZA004.';
