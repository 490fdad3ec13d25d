-- Tool calls: what the agent did, and how it ended.  With a call_id a call is counted
-- once, however often it is reported; begun and never ended, it is seen hanging.

create or replace function agentdb._check_tool (tool text, call_id text)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if tool is null or tool !~ '[^[:space:]]' then
    perform agentdb._refuse(
      'tool must not be empty', 'Give the tool''s name, as the model wrote it.'
    );
  elsif call_id is not null and not agentdb._is_clean_name(call_id, 200) then
    perform agentdb._refuse(
      format('%L is no call_id', agentdb._clean_text(call_id, 100)),
      'Use the model''s tool call id: 1 to 200 visible characters on one line.'
    );
  end if;
end;
$$;

comment on function agentdb._check_tool (text, text) is
  'Raises ZA004 for an empty tool or an ill-formed call_id.';


create or replace function agentdb._refuse_end (ok boolean, duration interval)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if ok is null then
    perform agentdb._refuse(
      'ok must not be NULL', 'Say true or false: did the call do what it should?'
    );
  -- Beyond that the time of its beginning is none: whoever reads the run would fail.
  elsif duration > '100 years' then
    perform agentdb._refuse('no call takes more than 100 years',
      'Give the time it took, such as 1.5 s.');
  end if;
  perform agentdb._refuse('result_size and duration must not be negative',
    'Give characters or bytes of the result, and the time it took.');
end;
$$;

comment on function agentdb._refuse_end (boolean, interval) is
  'Raises ZA004 for the end of a call that cannot be.';


-- A hook or a span can be faster than the log of a client, or of the gateway, which
-- writes behind.  In PL/pgSQL, which keeps its plan.
create or replace function agentdb._is_told (agent bigint, call_id text)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select
    from agentdb.run as r
    join agentdb.tool_call as c
      on c.run_id = r.run_id and c.call_id = _is_told.call_id
    where r.agent_id = agent
      and r.ended_at is null
      and r.opened_by is not null
      and c.tool_call_log_id is not null
  );
end;
$$;

comment on function agentdb._is_told (bigint, text) is
  'Whether an emitter has told of a call in an open session of the agent.';


create or replace function agentdb.log_tool_call (
  tool text,
  args jsonb default null,
  ok boolean default true,
  error text default null,
  result_size bigint default null,
  duration interval default null,
  call_id text default null,
  result text default null,
  violation text default null,
  run bigint default null
)
  returns table (
    run_id bigint, repeated boolean, recorded_at timestamptz, fault text, hint text,
    advice text
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_run record;
  v_logged record;
begin
  if (agentdb._is_plain_name(tool) and agentdb._is_plain_name(coalesce(call_id, '-')))
    is not true
  then
    perform agentdb._check_tool(tool, call_id);
  end if;
  if ok is null or result_size < 0 or duration < '0' or duration > '100 years' then
    perform agentdb._refuse_end(ok, duration);
  end if;
  -- Assigned and not selected: an expression costs half of a query.
  v_run := agentdb._current_run(run);
  run_id := v_run.run_id;
  advice := v_run.advice;
  repeated := false;
  if v_run.capped then
    repeated := agentdb._count_calls(v_run.run_id, v_run.agent_id,
      jsonb_build_array(jsonb_build_object('call_id', call_id, 'ok', ok))) = 0;
    advice := agentdb._cap_advice(v_run.agent_id, advice);
    return next;
    return;
  elsif length(call_id) >= 16 then
    repeated := agentdb._is_told(v_run.agent_id, call_id);
    if repeated then
      return next;
      return;
    end if;
  end if;
  if call_id is not null then
    insert into agentdb.tool_call (run_id, call_id, agent_id, tool, ended_at)
    values (
      v_run.run_id, call_id, v_run.agent_id, agentdb._clean_line(tool, 200),
      clock_timestamp()
    )
    -- One that was begun ends here.
    on conflict on constraint tool_call_pkey do update
    set ended_at = excluded.ended_at,
        args = null
    where tool_call.ended_at is null;
    repeated := not found;
  end if;
  if not repeated then
    v_logged := agentdb._insert_tool_call(
      v_run.run_id, v_run.agent_id, tool, args, ok, error, result_size, duration,
      call_id, result, violation);
    recorded_at := v_logged.recorded_at;
    fault := v_logged.fault;
    hint := v_logged.hint;
  end if;
  return next;
end;
$$;

comment on function agentdb.log_tool_call (
  text, jsonb, boolean, text, bigint, interval, text, text, text, bigint) is
  'Records a finished tool call, once per call_id; result_size is in characters or '
  'bytes; of result only a hash is kept, to tell whether it changes; a tool that the '
  'agent does not have, or arguments in which the caller found a violation of its '
  'schema, are recorded as well and answered with fault and hint; advice is what the '
  'run should know; raises ZA001, ZA003 or ZA004.';


create or replace function agentdb._insert_tool_call (
  run_id bigint,
  agent_id bigint,
  tool text,
  args jsonb,
  ok boolean,
  error text,
  result_size bigint,
  duration interval,
  call_id text,
  result text,
  violation text default null,
  out recorded_at timestamptz,
  out fault text,
  out hint text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  -- Arguments that are NULL would have the statement planned anew at each call.
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_call bigint;
  v_known boolean;
  v_args jsonb := agentdb._unquoted(_insert_tool_call.args);
begin
  v_args := agentdb._bounded_json(v_args, 65536);
  insert into agentdb.tool_call_log as l (
    run_id, agent_id, tool, args, ok, error, result_size, duration, call_id,
    call_signature, shape_signature, result_signature
  )
  values (
    _insert_tool_call.run_id, _insert_tool_call.agent_id,
    agentdb._clean_line(_insert_tool_call.tool, 200),
    v_args, _insert_tool_call.ok,
    agentdb._clean_text(_insert_tool_call.error, 4000),
    coalesce(_insert_tool_call.result_size, length(_insert_tool_call.result)),
    _insert_tool_call.duration, _insert_tool_call.call_id,
    agentdb._call_signature(_insert_tool_call.tool, v_args),
    agentdb._shape_signature(_insert_tool_call.tool, v_args),
    agentdb._result_signature(_insert_tool_call.ok, _insert_tool_call.result,
      _insert_tool_call.error)
  )
  -- What an agent without a registry calls is not judged.  Asked here, it costs no
  -- statement of its own.
  returning l.recorded_at, l.tool_call_log_id,
    exists (select from agentdb.agent_tool as a
      where a.agent_id = l.agent_id and a.tool_name = l.tool)
    or not exists (select from agentdb.agent_tool as a where a.agent_id = l.agent_id)
    into _insert_tool_call.recorded_at, v_call, v_known;
  if not v_known then
    select u.fault, u.hint into _insert_tool_call.fault, _insert_tool_call.hint
    from agentdb._note_unknown_tool(
      _insert_tool_call.run_id, _insert_tool_call.agent_id, v_call,
      _insert_tool_call.tool) as u;
  end if;
  -- Only against itself is an agent believed: that nothing is wrong it cannot say.
  if _insert_tool_call.fault is null
    and _insert_tool_call.violation ~ '[^[:space:]]'
  then
    insert into agentdb.tool_fault as f (run_id, tool_call_log_id, fault, detail)
    values (_insert_tool_call.run_id, v_call, 'invalid_args',
      agentdb._clean_text(_insert_tool_call.violation, 1000))
    returning f.fault, f.detail
      into _insert_tool_call.fault, _insert_tool_call.hint;
  end if;
end;
$$;

comment on function agentdb._insert_tool_call (
  bigint, bigint, text, jsonb, boolean, text, bigint, interval, text, text, text) is
  'Appends one row to tool_call_log, made harmless and cut to size, and says what is '
  'wrong with the call.';
