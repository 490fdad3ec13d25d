-- Tool calls in flight: begun and not ended, so that one that hangs is seen.

create or replace function agentdb.begin_tool_call (
  tool text,
  args jsonb default null,
  call_id text default null,
  run bigint default null,
  expect interval default null
)
  returns table (run_id bigint, call text, repeated boolean, began_at timestamptz)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint;
  v_capped boolean;
begin
  perform agentdb._check_tool(tool, call_id);
  if expect <= '0' or expect > '7 days' then
    perform agentdb._refuse(
      format('expect must be between 0 and 7 days, got %s', expect),
      'Give how long the call may take, such as expect => ''40 min''.');
  end if;
  select c.run_id, c.agent_id, c.capped
    into begin_tool_call.run_id, v_agent_id, v_capped
  from agentdb._current_run(begin_tool_call.run) as c;
  perform agentdb._check_open_calls(begin_tool_call.run_id);
  call := coalesce(call_id, gen_random_uuid()::text);
  insert into agentdb.tool_call as c (
    run_id, call_id, agent_id, tool, args, expected
  )
  values (
    begin_tool_call.run_id, call, v_agent_id, agentdb._clean_line(tool, 200),
    -- Above its cap nothing comes of them.
    case when v_capped then null
      else agentdb._bounded_json(agentdb._unquoted(args), 65536) end, expect
  )
  on conflict on constraint tool_call_pkey do nothing
  returning c.began_at into begin_tool_call.began_at;
  repeated := not found;
  return next;
end;
$$;

comment on function agentdb.begin_tool_call (text, jsonb, text, bigint, interval) is
  'Records that a tool call begins, and how long it may take, and returns the id to '
  'end it with; until then it is in flight; raises ZA001, ZA003, ZA004 or ZA005.';


create or replace function agentdb._check_open_calls (run bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if (
    select count(*) from agentdb.tool_call as c
    where c.run_id = run and c.ended_at is null
  ) >= 1000 then
    raise exception 'run % has 1000 tool calls in flight', run
      using errcode = 'ZA005',
            hint = format('End those that are over: select * from '
              'agentdb.end_tool_call(call_id => %L, ok => false, run => %s);', (
                select c.call_id from agentdb.tool_call as c
                where c.run_id = run and c.ended_at is null
                order by c.began_at limit 1), run);
  end if;
end;
$$;

comment on function agentdb._check_open_calls (bigint) is
  'Raises ZA005 where a run has 1000 tool calls in flight: more are a leak, not work.';


create or replace function agentdb._count_end (
  run bigint,
  agent bigint,
  call_id text,
  ok boolean,
  out repeated boolean,
  out duration interval
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  select clock_timestamp() - c.began_at into _count_end.duration
  from agentdb.tool_call as c
  where c.run_id = run and c.call_id = _count_end.call_id and c.ended_at is null;
  repeated := not found;
  if not repeated then
    perform agentdb._count_calls(run, agent,
      jsonb_build_array(jsonb_build_object('call_id', _count_end.call_id, 'ok', ok)));
  end if;
end;
$$;

comment on function agentdb._count_end (bigint, bigint, text, boolean) is
  'Counts a begun call that ends and is not stored; of one that is not in flight it '
  'says that it is repeated.';


create or replace function agentdb.end_tool_call (
  call_id text,
  ok boolean default true,
  error text default null,
  result_size bigint default null,
  result text default null,
  run bigint default null
)
  returns table (
    run_id bigint, repeated boolean, duration interval, advice text
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_run record;
  v_tool text;
  v_args jsonb;
begin
  if ok is null or result_size < 0 then
    perform agentdb._refuse('ok must not be NULL and result_size not negative',
      'Say true or false, and the size of the result.');
  end if;
  v_run := agentdb._current_run(end_tool_call.run);
  run_id := v_run.run_id;
  advice := v_run.advice;
  if v_run.capped then
    select c.repeated, c.duration into end_tool_call.repeated, end_tool_call.duration
    from agentdb._count_end(v_run.run_id, v_run.agent_id, call_id, ok) as c;
    advice := agentdb._cap_advice(v_run.agent_id, advice);
    return next;
    return;
  end if;
  update agentdb.tool_call as c
  set ended_at = clock_timestamp(),
      args = null
  from agentdb.tool_call as former
  where c.run_id = end_tool_call.run_id
    and c.call_id = end_tool_call.call_id
    and c.ended_at is null
    and former.run_id = c.run_id
    and former.call_id = c.call_id
  returning former.tool, former.args, c.ended_at - c.began_at
    into v_tool, v_args, end_tool_call.duration;
  repeated := not found;
  if not repeated then
    perform agentdb._insert_tool_call(
      end_tool_call.run_id, v_run.agent_id, v_tool, v_args, ok, error, result_size,
      end_tool_call.duration, end_tool_call.call_id, end_tool_call.result
    );
  elsif not exists (
    select from agentdb.tool_call as c
    where c.run_id = end_tool_call.run_id and c.call_id = end_tool_call.call_id
  ) and not exists (
    -- Above a cap that is over by now its end was only counted.
    select from agentdb.run as r
    where r.run_id = end_tool_call.run_id and r.unstored_until is not null
  ) then
    raise exception 'run % began no tool call %', end_tool_call.run_id,
        agentdb._clean_text(call_id, 100)
      using errcode = 'ZA006',
            hint = 'Use the id that begin_tool_call() returned, or record the whole '
              'call at once with log_tool_call().';
  end if;
  return next;
end;
$$;

comment on function agentdb.end_tool_call (
  text, boolean, text, bigint, text, bigint) is
  'Records how a begun tool call ended, timed by the database; a second end changes '
  'nothing; advice is what the run should know; raises ZA001, ZA003, ZA004 or ZA006.';


-- Not logged: nobody knows how they ended, and that is no error of the agent's.
create or replace function agentdb._close_calls (run bigint, outcome text)
  returns text[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_calls text[];
begin
  with closed as (
    update agentdb.tool_call as c
    set ended_at = clock_timestamp(),
        run_outcome = _close_calls.outcome
    where c.run_id = _close_calls.run
      and c.call_id = any (array(
        select o.call_id
        from agentdb.tool_call as o
        where o.run_id = _close_calls.run and o.ended_at is null
        for no key update skip locked
      ))
    returning c.tool, c.call_id, c.began_at
  )
  select array_agg(c.tool || ' ' || c.call_id order by c.began_at) into v_calls
  from closed as c;
  return v_calls;
end;
$$;

comment on function agentdb._close_calls (bigint, text) is
  'Closes the tool calls that were in flight when their run ended, and returns them.';


-- In two halves, so that the first finds its few rows by an index; the second is for
-- moments of the past only.
create or replace function agentdb._call_in_flight (as_of timestamptz)
  returns table (
    run_id bigint, call_id text, tool text, began_at timestamptz, expected interval
  )
  language sql
  stable
begin atomic
  select c.run_id, c.call_id, c.tool, c.began_at, c.expected
  from agentdb.tool_call as c
  where c.ended_at is null
    and c.began_at <= as_of
  union all
  select c.run_id, c.call_id, c.tool, c.began_at, c.expected
  from agentdb.tool_call as c
  where as_of < statement_timestamp()
    and c.ended_at > as_of
    and c.began_at <= as_of;
end;

comment on function agentdb._call_in_flight (timestamptz) is
  'The tool calls that had begun and not ended at a moment.';
