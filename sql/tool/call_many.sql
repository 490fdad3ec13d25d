-- Batches of tool calls.  What is plain is a set: parsed once, one insert a table.  A
-- batch with anything odd in it goes call by call, so that a call that is refused is
-- refused alone and in the words of log_tool_call().

create or replace function agentdb._is_plain_call (call jsonb)
  returns boolean
  language sql
  immutable
  parallel safe
  return coalesce(
    agentdb._is_plain_name(call ->> 'tool')
    and jsonb_typeof(call -> 'tool') = 'string'
    and coalesce(jsonb_typeof(call -> 'ok'), 'null') in ('boolean', 'null')
    and coalesce(jsonb_typeof(call -> 'error'), 'null') in ('string', 'null')
    and coalesce(call ->> 'result_size', '0') ~ '^[0-9]{1,18}$'
    and coalesce(call ->> 'duration', '0') ~ '^[0-9]{1,8}(\.[0-9]{1,9})?( ?m?s)?$'
    and agentdb._is_plain_name(coalesce(call ->> 'call_id', '-'))
    and coalesce(jsonb_typeof(call -> 'call_id'), 'string') in ('string', 'null')
    and call ->> 'violation' is null,
    false);

comment on function agentdb._is_plain_call (jsonb) is
  'Whether a call of a batch is such that nothing of it can be refused.';


create or replace function agentdb._has_tools (agent bigint, calls jsonb)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return not exists (select from agentdb.agent_tool as a where a.agent_id = agent)
    or not exists (
      select
      from jsonb_array_elements(calls) as e (item)
      where e.item ? 'tool'
        and not exists (
          select from agentdb.agent_tool as a
          where a.agent_id = agent and a.tool_name = e.item ->> 'tool'));
end;
$$;

comment on function agentdb._has_tools (bigint, jsonb) is
  'Whether an agent without a registry, or one that has them all, makes the calls of a '
  'batch.';


create or replace function agentdb._insert_plain_calls (
  run bigint,
  agent bigint,
  calls jsonb,
  kind text default null,
  at timestamptz default clock_timestamp()
)
  returns integer
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_recorded integer;
  -- Asked once a batch: few agents have an open run that an emitter reports on.
  v_told boolean := exists (
    select from agentdb.run as r
    where r.agent_id = agent and r.ended_at is null and r.opened_by is not null);
begin
  with item as materialized (
    select e.place, e.item, e.item ->> 'tool' as tool, e.item ->> 'call_id' as call_id,
      coalesce((e.item ->> 'ok')::boolean, true) as ok,
      agentdb._unquoted(nullif(e.item -> 'args', 'null')) as args
    from jsonb_array_elements(calls) with ordinality as e (item, place)
    where kind is null or e.item ->> 'kind' = kind
  ),
  fresh as materialized (
    select i.*,
      row_number() over (partition by i.call_id order by i.place) as turn
    from item as i
    where (v_told and length(i.call_id) >= 16
      and agentdb._is_told(agent, i.call_id)) is not true
  ),
  ended as (
    insert into agentdb.tool_call as c (run_id, call_id, agent_id, tool, ended_at)
    select run, f.call_id, agent, f.tool, clock_timestamp()
    from fresh as f
    where f.call_id is not null and f.turn = 1
    -- Batches with the same calls wait for one another, whatever their order.
    order by f.call_id
    on conflict on constraint tool_call_pkey do update
    set ended_at = excluded.ended_at,
        args = null
    where c.ended_at is null
    returning c.call_id
  )
  insert into agentdb.tool_call_log (
    recorded_at, run_id, agent_id, tool, args, ok, error, result_size, duration,
    call_id, call_signature, shape_signature, result_signature
  )
  select agentdb._moment_in_batch(at, f.place), run, agent, f.tool, b.args, f.ok,
    agentdb._clean_text(f.item ->> 'error', 4000),
    coalesce((f.item ->> 'result_size')::bigint, length(f.item ->> 'result')),
    (f.item ->> 'duration')::interval, f.call_id,
    agentdb._call_signature(f.tool, b.args), agentdb._shape_signature(f.tool, b.args),
    agentdb._result_signature(f.ok, f.item ->> 'result', f.item ->> 'error')
  from fresh as f
  cross join lateral (select agentdb._bounded_json(f.args, 65536) as args offset 0) as b
  where f.call_id is null
    or f.turn = 1 and f.call_id in (select e.call_id from ended as e)
  order by f.place;
  get diagnostics v_recorded = row_count;
  return v_recorded;
end;
$$;

comment on function agentdb._insert_plain_calls (
  bigint, bigint, jsonb, text, timestamptz) is
  'Records the calls of a batch, or those of a kind in it, of which nothing can be '
  'refused; returns how many were new.';


create or replace function agentdb._insert_odd_calls (
  run bigint,
  calls jsonb,
  out recorded integer,
  out repeated integer,
  out refused jsonb
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_call jsonb;
  v_place bigint;
  v_repeated boolean;
  v_stored boolean;
  v_refused jsonb[];
begin
  recorded := 0;
  repeated := 0;
  for v_call, v_place in
    select e.item, e.place
    from jsonb_array_elements(calls) with ordinality as e (item, place)
  loop
    begin
      select l.repeated, l.recorded_at is not null into v_repeated, v_stored
      from agentdb.log_tool_call(
        tool => agentdb._json_text(v_call, 'tool'),
        args => nullif(v_call -> 'args', 'null'),
        ok => coalesce(agentdb._json_text(v_call, 'ok')::boolean, true),
        error => agentdb._json_text(v_call, 'error'),
        result_size => agentdb._json_text(v_call, 'result_size')::bigint,
        duration => agentdb._json_text(v_call, 'duration')::interval,
        call_id => agentdb._json_text(v_call, 'call_id'),
        result => v_call ->> 'result',
        violation => agentdb._json_text(v_call, 'violation'),
        run => _insert_odd_calls.run
      ) as l;
      recorded := recorded + v_stored::integer;
      repeated := repeated + v_repeated::integer;
    exception when data_exception or sqlstate 'ZA004' then
      v_refused := v_refused || agentdb._refused_row(v_place, sqlerrm);
    end;
  end loop;
  refused := to_jsonb(v_refused);
end;
$$;

comment on function agentdb._insert_odd_calls (bigint, jsonb) is
  'Records the calls of a batch one by one; says which were refused and why.';


-- What is refused of a call that is stored is refused of one that is only counted.
create or replace function agentdb._checked_call (call jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_call_id text := agentdb._json_text(call, 'call_id');
  v_ok boolean := coalesce(agentdb._json_text(call, 'ok')::boolean, true);
  v_size bigint := agentdb._json_text(call, 'result_size')::bigint;
  v_duration interval := agentdb._json_text(call, 'duration')::interval;
begin
  perform agentdb._check_tool(agentdb._json_text(call, 'tool'), v_call_id);
  if v_size < 0 or v_duration < '0' or v_duration > '100 years' then
    perform agentdb._refuse_end(v_ok, v_duration);
  end if;
  return jsonb_build_object('call_id', v_call_id, 'ok', v_ok);
end;
$$;

comment on function agentdb._checked_call (jsonb) is
  'What is counted of a call of a batch; raises what log_tool_call() would.';


create or replace function agentdb._count_checked_calls (
  run bigint,
  agent bigint,
  calls jsonb,
  out repeated integer,
  out refused jsonb
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_call jsonb;
  v_place bigint;
  v_checked jsonb[] := '{}';
  v_refused jsonb[];
begin
  for v_call, v_place in
    select e.item, e.place
    from jsonb_array_elements(calls) with ordinality as e (item, place)
  loop
    begin
      v_checked := v_checked || agentdb._checked_call(v_call);
    exception when data_exception or sqlstate 'ZA004' then
      v_refused := v_refused || agentdb._refused_row(v_place, sqlerrm);
    end;
  end loop;
  repeated := cardinality(v_checked)
    - agentdb._count_calls(run, agent, to_jsonb(v_checked));
  refused := to_jsonb(v_refused);
end;
$$;

comment on function agentdb._count_checked_calls (bigint, bigint, jsonb) is
  'Counts the calls of a batch that are not stored; says which were refused and why.';


create or replace function agentdb.log_tool_call_many (
  calls jsonb,
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
  calls := agentdb._checked_batch(calls, 'tool');
  select c.run_id, c.agent_id, c.advice, c.capped
    into log_tool_call_many.run_id, v_agent_id, log_tool_call_many.advice, v_capped
  from agentdb._current_run(log_tool_call_many.run) as c;
  if v_capped then
    select 0, i.repeated, i.refused,
      agentdb._cap_advice(v_agent_id, log_tool_call_many.advice)
      into log_tool_call_many.recorded, log_tool_call_many.repeated,
        log_tool_call_many.refused, log_tool_call_many.advice
    from agentdb._count_checked_calls(
      log_tool_call_many.run_id, v_agent_id, calls) as i;
  elsif (
    select bool_and(agentdb._is_plain_call(e.item))
    from jsonb_array_elements(calls) as e (item)
  ) and agentdb._has_tools(v_agent_id, calls) then
    recorded := agentdb._insert_plain_calls(
      log_tool_call_many.run_id, v_agent_id, calls);
    repeated := jsonb_array_length(calls) - recorded;
  else
    select i.recorded, i.repeated, i.refused
      into log_tool_call_many.recorded, log_tool_call_many.repeated,
        log_tool_call_many.refused
    from agentdb._insert_odd_calls(log_tool_call_many.run_id, calls) as i;
  end if;
  return next;
end;
$$;

comment on function agentdb.log_tool_call_many (jsonb, bigint) is
  'Records a JSON array of {tool, args, ok, error, result_size, duration, call_id, '
  'result, violation}; refused says which were not recorded, [{row, why}], by their '
  'place from 1 on, NULL for none; raises ZA001, ZA003 or ZA004.';
