-- Batches of usages, as those of tool calls: what is plain is a set, and a batch with
-- anything odd in it goes row by row.

create or replace function agentdb._is_plain_usage (usage jsonb)
  returns boolean
  language sql
  immutable
  parallel safe
  return coalesce(
    usage ->> 'input' ~ '^[0-9]{1,9}$'
    and coalesce(usage ->> 'output', '0') ~ '^[0-9]{1,9}$'
    and coalesce(usage ->> 'cached_input', '0') ~ '^[0-9]{1,9}$'
    and coalesce(usage ->> 'reasoning', '0') = '0'
    and usage ->> 'cached_within' is null
    and coalesce(usage ->> 'cost', '0') ~ '^[0-9]{1,8}(\.[0-9]{1,18})?$'
    and coalesce(usage ->> 'input_cost', usage ->> 'cached_input_cost',
      usage ->> 'output_cost') is null
    and agentdb._is_plain_name(coalesce(usage ->> 'model', '-'))
    and agentdb._is_plain_name(coalesce(usage ->> 'priced_by', '-'))
    and agentdb._is_plain_name(coalesce(usage ->> 'response_id', '-')),
    false);

comment on function agentdb._is_plain_usage (jsonb) is
  'Whether a usage of a batch is such that nothing of it can be refused.';


create or replace function agentdb._insert_plain_usages (
  run bigint,
  agent bigint,
  usages jsonb,
  kind text default null,
  at timestamptz default clock_timestamp(),
  out recorded integer,
  out advice text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
as $$
begin
  with item as materialized (
    select e.place, (e.item ->> 'input')::bigint as input,
      coalesce((e.item ->> 'output')::bigint, 0) as output,
      coalesce((e.item ->> 'cached_input')::bigint, 0) as cached_input,
      (e.item ->> 'cost')::double precision as cost, e.item ->> 'model' as model,
      e.item ->> 'priced_by' as priced_by,
      case when length(e.item ->> 'response_id') >= 16
        then agentdb._event_key('tokens', e.item ->> 'response_id') end as key
    from jsonb_array_elements(usages) with ordinality as e (item, place)
    where kind is null or e.item ->> 'kind' = kind
  ),
  seen as (
    insert into agentdb.event_key as k (agent_id, key)
    -- Batches with the same usages wait for one another, whatever their order.
    select distinct agent, i.key from item as i where i.key is not null
    order by i.key
    on conflict on constraint event_key_pkey do nothing
    returning k.key
  ),
  fresh as materialized (
    select i.*, row_number() over (partition by i.key order by i.place) as turn
    from item as i
  ),
  logged as (
    insert into agentdb.token_log (
      recorded_at, run_id, agent_id, input_tokens, cached_input_tokens, output_tokens,
      reasoning_tokens, cost, model, priced_by
    )
    select agentdb._moment_in_batch(at, f.place), run, agent, f.input,
      f.cached_input, f.output, 0, agentdb._total_cost(f.cost, null, null, null),
      f.model, f.priced_by
    from fresh as f
    where f.key is null
      or f.turn = 1 and f.key in (select s.key from seen as s)
    order by f.place
    returning token_log_id
  )
  select (select count(*) from logged), (
      select agentdb._cached_advice(i.input, i.cached_input, null) as said
      from item as i
      where i.cached_input >= 1024
        and agentdb._cached_advice(i.input, i.cached_input, null) is not null
      order by i.place desc
      limit 1)
    into recorded, advice;
end;
$$;

comment on function agentdb._insert_plain_usages (
  bigint, bigint, jsonb, text, timestamptz) is
  'Records the usages of a batch, or those of a kind in it, of which nothing can be '
  'refused; says how many were new, and what the caller should know.';


create or replace function agentdb._insert_odd_usages (
  run bigint,
  usages jsonb,
  out recorded integer,
  out repeated integer,
  out refused jsonb,
  out advice text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_usage jsonb;
  v_place bigint;
  v_repeated boolean;
  v_stored boolean;
  v_advice text;
  v_refused jsonb[];
begin
  recorded := 0;
  repeated := 0;
  for v_usage, v_place in
    select e.item, e.place
    from jsonb_array_elements(usages) with ordinality as e (item, place)
  loop
    begin
      select l.repeated, l.recorded_at is not null, l.advice
        into v_repeated, v_stored, v_advice
      from agentdb.log_tokens(
        input => agentdb._json_text(v_usage, 'input')::bigint,
        output => coalesce(agentdb._json_text(v_usage, 'output')::bigint, 0),
        cached_input =>
          coalesce(agentdb._json_text(v_usage, 'cached_input')::bigint, 0),
        reasoning => coalesce(agentdb._json_text(v_usage, 'reasoning')::bigint, 0),
        model => agentdb._json_text(v_usage, 'model'),
        cost => agentdb._json_text(v_usage, 'cost')::double precision,
        run => _insert_odd_usages.run,
        input_cost => agentdb._json_text(v_usage, 'input_cost')::numeric,
        cached_input_cost => agentdb._json_text(v_usage, 'cached_input_cost')::numeric,
        output_cost => agentdb._json_text(v_usage, 'output_cost')::numeric,
        priced_by => agentdb._json_text(v_usage, 'priced_by'),
        response_id => agentdb._json_text(v_usage, 'response_id'),
        cached_within => agentdb._json_text(v_usage, 'cached_within')::boolean
      ) as l;
      advice := coalesce(v_advice, advice);
      recorded := recorded + v_stored::integer;
      repeated := repeated + v_repeated::integer;
    exception when data_exception or sqlstate 'ZA004' then
      v_refused := v_refused || agentdb._refused_row(v_place, sqlerrm);
    end;
  end loop;
  refused := to_jsonb(v_refused);
end;
$$;

comment on function agentdb._insert_odd_usages (bigint, jsonb) is
  'Records the usages of a batch one by one; says which were refused and why.';


-- What is refused of a usage that is stored is refused of one that is only counted.
create or replace function agentdb._checked_usage (usage jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_input bigint := agentdb._json_text(usage, 'input')::bigint;
  v_output bigint := coalesce(agentdb._json_text(usage, 'output')::bigint, 0);
  v_cached bigint := coalesce(agentdb._json_text(usage, 'cached_input')::bigint, 0);
  v_reasoning bigint := coalesce(agentdb._json_text(usage, 'reasoning')::bigint, 0);
  v_input_cost numeric := agentdb._json_text(usage, 'input_cost')::numeric;
  v_cached_cost numeric := agentdb._json_text(usage, 'cached_input_cost')::numeric;
  v_output_cost numeric := agentdb._json_text(usage, 'output_cost')::numeric;
begin
  if agentdb._are_tokens(v_input, v_output, v_cached, v_reasoning) is not true then
    perform agentdb._refuse_tokens(v_input, v_output, v_cached, v_reasoning);
  end if;
  return jsonb_build_object(
    'input', agentdb._apart(v_input, v_cached,
      agentdb._json_text(usage, 'cached_within')::boolean),
    'output', v_output, 'cached_input', v_cached,
    'model', agentdb._clean_line(agentdb._json_text(usage, 'model'), 200),
    'cost', agentdb._total_cost(
      agentdb._json_text(usage, 'cost')::double precision, v_input_cost,
      v_cached_cost, v_output_cost),
    'input_cost', v_input_cost, 'cached_input_cost', v_cached_cost,
    'output_cost', v_output_cost,
    'response_id', agentdb._json_text(usage, 'response_id'));
end;
$$;

comment on function agentdb._checked_usage (jsonb) is
  'What is counted of a usage of a batch; raises what log_tokens() would.';


create or replace function agentdb._count_checked_usages (
  run bigint,
  agent bigint,
  usages jsonb,
  out repeated integer,
  out refused jsonb
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_usage jsonb;
  v_place bigint;
  v_checked jsonb[] := '{}';
  v_refused jsonb[];
begin
  for v_usage, v_place in
    select e.item, e.place
    from jsonb_array_elements(usages) with ordinality as e (item, place)
  loop
    begin
      v_checked := v_checked || agentdb._checked_usage(v_usage);
    exception when data_exception or sqlstate 'ZA004' then
      v_refused := v_refused || agentdb._refused_row(v_place, sqlerrm);
    end;
  end loop;
  repeated := cardinality(v_checked)
    - agentdb._count_usages(run, agent, to_jsonb(v_checked));
  refused := to_jsonb(v_refused);
end;
$$;

comment on function agentdb._count_checked_usages (bigint, bigint, jsonb) is
  'Counts the usages of a batch that are not stored; says which were refused and why.';


create or replace function agentdb.log_tokens_many (
  usages jsonb,
  run bigint default null
)
  returns table (
    run_id bigint, recorded integer, repeated integer, refused jsonb, advice text
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint;
  v_capped boolean;
begin
  usages := agentdb._checked_batch(usages, 'input');
  select c.run_id, c.agent_id, c.capped
    into log_tokens_many.run_id, v_agent_id, v_capped
  from agentdb._current_run(log_tokens_many.run) as c;
  if v_capped then
    select 0, i.repeated, i.refused, agentdb._cap_advice(v_agent_id, null)
      into log_tokens_many.recorded, log_tokens_many.repeated,
        log_tokens_many.refused, log_tokens_many.advice
    from agentdb._count_checked_usages(log_tokens_many.run_id, v_agent_id, usages) as i;
  elsif (
    select bool_and(agentdb._is_plain_usage(e.item))
    from jsonb_array_elements(usages) as e (item)
  ) then
    select i.recorded, jsonb_array_length(usages) - i.recorded, i.advice
      into log_tokens_many.recorded, log_tokens_many.repeated, log_tokens_many.advice
    from agentdb._insert_plain_usages(
      log_tokens_many.run_id, v_agent_id, usages) as i;
  else
    select i.recorded, i.repeated, i.refused, i.advice
      into log_tokens_many.recorded, log_tokens_many.repeated,
        log_tokens_many.refused, log_tokens_many.advice
    from agentdb._insert_odd_usages(log_tokens_many.run_id, usages) as i;
  end if;
  return next;
end;
$$;

comment on function agentdb.log_tokens_many (jsonb, bigint) is
  'Records a JSON array of {input, output, cached_input, reasoning, model, cost, '
  'input_cost, cached_input_cost, output_cost, priced_by, response_id, cached_within}; '
  'refused says which were not recorded, [{row, why}], by their place from 1 on, NULL '
  'for none; raises ZA001, ZA003 or ZA004.';
