-- What a program did, of all kinds and in its order, in one call.

create or replace function agentdb._is_plain_event (event jsonb)
  returns boolean
  language sql
  immutable
  parallel safe
  return case event ->> 'kind'
    when 'tool_call' then agentdb._is_plain_call(event)
    when 'tokens' then agentdb._is_plain_usage(event)
    when 'progress' then agentdb._is_plain_step(event)
    else false
  end;

comment on function agentdb._is_plain_event (jsonb) is
  'Whether an event of a batch is such that nothing of it can be refused.';


create or replace function agentdb._insert_plain_events (
  run bigint,
  agent bigint,
  events jsonb,
  out recorded integer,
  out advice text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- One moment, so that their order is that of the batch.
  v_now timestamptz := clock_timestamp();
  v_kinds text[] := array(
    select distinct e.item ->> 'kind' from jsonb_array_elements(events) as e (item));
begin
  recorded := 0;
  if 'tool_call' = any (v_kinds) then
    recorded := agentdb._insert_plain_calls(run, agent, events, 'tool_call', v_now);
  end if;
  if 'tokens' = any (v_kinds) then
    select _insert_plain_events.recorded + u.recorded, u.advice
      into _insert_plain_events.recorded, _insert_plain_events.advice
    from agentdb._insert_plain_usages(run, agent, events, 'tokens', v_now) as u;
  end if;
  if 'progress' = any (v_kinds) then
    recorded := recorded
      + agentdb._insert_plain_steps(run, agent, events, 'progress', v_now);
  end if;
end;
$$;

comment on function agentdb._insert_plain_events (bigint, bigint, jsonb) is
  'Records the events of a batch of which nothing can be refused; says how many were '
  'new, and what the caller should know.';


create or replace function agentdb._insert_odd_events (
  run bigint,
  agent bigint,
  events jsonb,
  out recorded integer,
  out repeated integer,
  out refused jsonb,
  out advice text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_event jsonb;
  v_place bigint;
  v_end record;
  v_refused jsonb[];
begin
  recorded := 0;
  repeated := 0;
  for v_event, v_place in
    select jsonb_build_array(e.item), e.place
    from jsonb_array_elements(events) with ordinality as e (item, place)
  loop
    case v_event -> 0 ->> 'kind'
      when 'tool_call' then
        select i.*, null as advice into v_end
        from agentdb._insert_odd_calls(run, v_event) as i;
      when 'tokens' then
        select i.* into v_end from agentdb._insert_odd_usages(run, v_event) as i;
      when 'progress' then
        select i.recorded, 0 as repeated, null as advice,
          case when i.recorded = 0 then
            '[{"why": "step must not be empty"}]'::jsonb end as refused into v_end
        from agentdb._insert_plain_steps(run, agent, v_event) as i (recorded);
      else
        select 0 as recorded, 0 as repeated, null as advice,
          '[{"why": "kind must be tool_call, tokens or progress"}]'::jsonb as refused
          into v_end;
    end case;
    recorded := recorded + v_end.recorded;
    repeated := repeated + v_end.repeated;
    advice := coalesce(v_end.advice, advice);
    if v_end.refused is not null then
      v_refused := v_refused
        || agentdb._refused_row(v_place, v_end.refused -> 0 ->> 'why');
    end if;
  end loop;
  refused := to_jsonb(v_refused);
end;
$$;

comment on function agentdb._insert_odd_events (bigint, bigint, jsonb) is
  'Records the events of a batch one by one; says which were refused and why.';


create or replace function agentdb._checked_event (event jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event ->> 'kind' = 'tool_call' then
    return agentdb._checked_call(event) || '{"kind": "tool_call"}';
  elsif event ->> 'kind' = 'tokens' then
    return agentdb._checked_usage(event) || '{"kind": "tokens"}';
  elsif event ->> 'kind' is distinct from 'progress' then
    perform agentdb._refuse('kind must be tool_call, tokens or progress',
      'Say of each event what it is.');
  elsif not agentdb._is_plain_step(event) then
    perform agentdb._refuse('step must not be empty', 'Name what was reached.');
  end if;
  return event - 'details';
end;
$$;

comment on function agentdb._checked_event (jsonb) is
  'What is counted of an event of a batch; raises what its log function would.';


create or replace function agentdb._count_checked_events (
  run bigint,
  agent bigint,
  events jsonb,
  out repeated integer,
  out refused jsonb
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_event jsonb;
  v_place bigint;
  v_checked jsonb;
  v_events jsonb[] := '{}';
  v_refused jsonb[];
begin
  for v_event, v_place in
    select e.item, e.place
    from jsonb_array_elements(events) with ordinality as e (item, place)
  loop
    begin
      v_events := v_events || agentdb._checked_event(v_event);
    exception when data_exception or sqlstate 'ZA004' then
      v_refused := v_refused || agentdb._refused_row(v_place, sqlerrm);
    end;
  end loop;
  v_checked := to_jsonb(v_events);
  repeated := cardinality(v_events)
    - agentdb._count_calls(run, agent, v_checked, 'tool_call')
    - agentdb._count_usages(run, agent, v_checked, 'tokens')
    - agentdb._count_steps(run, agent, agentdb._plain_steps(v_checked, 'progress'));
  refused := to_jsonb(v_refused);
end;
$$;

comment on function agentdb._count_checked_events (bigint, bigint, jsonb) is
  'Counts the events of a batch that are not stored; says which were refused and why.';


create or replace function agentdb.log_events (events jsonb, run bigint default null)
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
  events := agentdb._checked_batch(events, 'kind');
  select c.run_id, c.agent_id, c.advice, c.capped
    into log_events.run_id, v_agent_id, log_events.advice, v_capped
  from agentdb._current_run(log_events.run) as c;
  perform agentdb._commit_lightly(array[v_agent_id]);
  if v_capped then
    select 0, i.repeated, i.refused,
      agentdb._cap_advice(v_agent_id, log_events.advice)
      into log_events.recorded, log_events.repeated, log_events.refused,
        log_events.advice
    from agentdb._count_checked_events(log_events.run_id, v_agent_id, events) as i;
  elsif (
    select bool_and(agentdb._is_plain_event(e.item))
    from jsonb_array_elements(events) as e (item)
  ) and agentdb._has_tools(v_agent_id, events) then
    select i.recorded, jsonb_array_length(events) - i.recorded,
      coalesce(log_events.advice, i.advice)
      into log_events.recorded, log_events.repeated, log_events.advice
    from agentdb._insert_plain_events(log_events.run_id, v_agent_id, events) as i;
  else
    select i.recorded, i.repeated, i.refused, coalesce(log_events.advice, i.advice)
      into log_events.recorded, log_events.repeated, log_events.refused,
        log_events.advice
    from agentdb._insert_odd_events(log_events.run_id, v_agent_id, events) as i;
  end if;
  return next;
end;
$$;

comment on function agentdb.log_events (jsonb, bigint) is
  'Records a JSON array of events of one run in the order in which they happened, each '
  'with its kind: tool_call, tokens or progress, and the members that '
  'log_tool_call_many, log_tokens_many or log_progress_many take; refused says which '
  'were not recorded, [{row, why}], by their place from 1 on, NULL for none; raises '
  'ZA001, ZA003 or ZA004.';
