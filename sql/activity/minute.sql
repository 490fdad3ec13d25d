-- Minutes: what each agent and tool did in them, for rules about windows of time.  A
-- window is whole minutes from here, and from the logs what is at its two ends, what is
-- not counted yet, and what is older than the oldest minute that is kept: the sum is
-- that of the logs, at any moment of the past too.

create or replace function agentdb._roll_up_steps_of_minutes (seen pg_snapshot)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.agent_minute as m (minute_at, agent_id, steps)
  select date_bin('1 minute', l.recorded_at, 'epoch'), l.agent_id, count(*)
  from agentdb._uncounted_steps() as l
  where pg_visible_in_snapshot(l.xid, seen)
  group by 1, 2
  on conflict (minute_at, agent_id) do update
  set steps = m.steps + excluded.steps;
$$;

comment on function agentdb._roll_up_steps_of_minutes (pg_snapshot) is
  'Adds the steps of new transactions to agent_minute.';


create or replace function agentdb._roll_up_calls_of_minutes (seen pg_snapshot)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.tool_minute as m (
    minute_at, agent_id, tool, calls, errors, largest, first_at, last_at
  )
  select
    date_bin('1 minute', l.recorded_at, 'epoch'), l.agent_id, l.tool, count(*),
    count(*) filter (where not l.ok), max(l.result_size), min(l.recorded_at),
    max(l.recorded_at)
  from agentdb._uncounted_tool_calls() as l
  where pg_visible_in_snapshot(l.xid, seen)
  group by 1, 2, 3
  on conflict (minute_at, agent_id, tool) do update
  set calls = m.calls + excluded.calls,
      errors = m.errors + excluded.errors,
      largest = greatest(m.largest, excluded.largest),
      first_at = least(m.first_at, excluded.first_at),
      last_at = greatest(m.last_at, excluded.last_at);
$$;

comment on function agentdb._roll_up_calls_of_minutes (pg_snapshot) is
  'Adds the tool calls of new transactions to tool_minute.';


create or replace function agentdb._roll_up_tokens_of_minutes (seen pg_snapshot)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.agent_minute as m (
    minute_at, agent_id, input_tokens, cached_input_tokens, output_tokens
  )
  select
    date_bin('1 minute', l.recorded_at, 'epoch'), l.agent_id, sum(l.input_tokens),
    sum(l.cached_input_tokens), sum(l.output_tokens)
  from agentdb._uncounted_tokens() as l
  where pg_visible_in_snapshot(l.xid, seen)
  group by 1, 2
  on conflict (minute_at, agent_id) do update
  set input_tokens = m.input_tokens + excluded.input_tokens,
      cached_input_tokens = m.cached_input_tokens + excluded.cached_input_tokens,
      output_tokens = m.output_tokens + excluded.output_tokens;
$$;

comment on function agentdb._roll_up_tokens_of_minutes (pg_snapshot) is
  'Adds the tokens of new transactions to agent_minute.';


create or replace function agentdb._whole_minutes (
  since timestamptz,
  as_of timestamptz,
  out begin_at timestamptz,
  out end_at timestamptz
)
  language sql
  stable
begin atomic
  select w.begin_at, greatest(w.begin_at, date_bin('1 minute', as_of, 'epoch'))
  from agentdb.roll_up_state as s
  cross join lateral (
    select greatest(s.minutes_begin_at,
      date_bin('1 minute', since, 'epoch') + interval '1 minute') as begin_at
  ) as w;
end;

comment on function agentdb._whole_minutes (timestamptz, timestamptz) is
  'Of a span, its begin excluded, the part that lies in whole minutes that are kept: '
  'from begin_at to before end_at.';


-- In PL/pgSQL, whose plans look at the partitions of the span only.
create or replace function agentdb._tool_use (since timestamptz, as_of timestamptz)
  returns table (
    agent_id bigint, tool text, calls bigint, errors bigint, largest bigint,
    first_at timestamptz, last_at timestamptz
  )
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_whole record := agentdb._whole_minutes(since, as_of);
  v_begin timestamptz := v_whole.begin_at;
  v_end timestamptz := v_whole.end_at;
begin
  return query
    with call as (
      select l.agent_id, l.tool, l.ok, l.result_size, l.recorded_at
      from agentdb.tool_call_log as l
      where l.recorded_at > since and l.recorded_at < v_begin
        and l.recorded_at <= as_of
      union all
      select l.agent_id, l.tool, l.ok, l.result_size, l.recorded_at
      from agentdb.tool_call_log as l
      where l.recorded_at >= v_end and l.recorded_at <= as_of
      union all
      select l.agent_id, l.tool, l.ok, l.result_size, l.recorded_at
      from agentdb._uncounted_tool_calls() as l
      where l.recorded_at >= v_begin and l.recorded_at < v_end
    )
    select u.agent_id, u.tool, sum(u.calls)::bigint, sum(u.errors)::bigint,
      max(u.largest), min(u.first_at), max(u.last_at)
    from (
      select m.agent_id, m.tool, m.calls, m.errors, m.largest, m.first_at, m.last_at
      from agentdb.tool_minute as m
      where m.minute_at >= v_begin and m.minute_at < v_end
      union all
      select c.agent_id, c.tool, count(*), count(*) filter (where not c.ok),
        max(c.result_size), min(c.recorded_at), max(c.recorded_at)
      from call as c
      group by c.agent_id, c.tool
    ) as u
    group by u.agent_id, u.tool;
end;
$$;

comment on function agentdb._tool_use (timestamptz, timestamptz) is
  'Calls, failures, largest result and first and last call of each agent''s tools '
  'after one moment and up to another.';


create or replace function agentdb._step_use (since timestamptz, as_of timestamptz)
  returns table (agent_id bigint, steps bigint)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_whole record := agentdb._whole_minutes(since, as_of);
  v_begin timestamptz := v_whole.begin_at;
  v_end timestamptz := v_whole.end_at;
begin
  return query
    select u.agent_id, sum(u.steps)::bigint
    from (
      select m.agent_id, m.steps
      from agentdb.agent_minute as m
      where m.minute_at >= v_begin and m.minute_at < v_end
      union all
      select l.agent_id, 1 from agentdb.progress_log as l
      where l.recorded_at > since and l.recorded_at < v_begin
        and l.recorded_at <= as_of
      union all
      select l.agent_id, 1 from agentdb.progress_log as l
      where l.recorded_at >= v_end and l.recorded_at <= as_of
      union all
      select l.agent_id, 1 from agentdb._uncounted_steps() as l
      where l.recorded_at >= v_begin and l.recorded_at < v_end
    ) as u
    group by u.agent_id;
end;
$$;

comment on function agentdb._step_use (timestamptz, timestamptz) is
  'How many steps each agent logged after one moment and up to another.';


create or replace function agentdb._token_sum (since timestamptz, as_of timestamptz)
  returns table (
    agent_id bigint, input_tokens bigint, cached_input_tokens bigint,
    output_tokens bigint
  )
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_whole record := agentdb._whole_minutes(since, as_of);
  v_begin timestamptz := v_whole.begin_at;
  v_end timestamptz := v_whole.end_at;
begin
  return query
    select u.agent_id, sum(u.input_tokens)::bigint,
      sum(u.cached_input_tokens)::bigint, sum(u.output_tokens)::bigint
    from (
      select m.agent_id, m.input_tokens, m.cached_input_tokens, m.output_tokens
      from agentdb.agent_minute as m
      where m.minute_at >= v_begin and m.minute_at < v_end
      union all
      select l.agent_id, l.input_tokens, l.cached_input_tokens, l.output_tokens
      from agentdb.token_log as l
      where l.recorded_at > since and l.recorded_at < v_begin
        and l.recorded_at <= as_of
      union all
      select l.agent_id, l.input_tokens, l.cached_input_tokens, l.output_tokens
      from agentdb.token_log as l
      where l.recorded_at >= v_end and l.recorded_at <= as_of
      union all
      select l.agent_id, l.input_tokens, l.cached_input_tokens, l.output_tokens
      from agentdb._uncounted_tokens() as l
      where l.recorded_at >= v_begin and l.recorded_at < v_end
    ) as u
    group by u.agent_id;
end;
$$;

comment on function agentdb._token_sum (timestamptz, timestamptz) is
  'The tokens that each agent used after one moment and up to another.';


-- First the bound, so that nobody adds up minutes that are gone: below it the logs
-- are read.
create or replace function agentdb._forget_minutes (keep interval default '25 hours')
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update agentdb.roll_up_state as s
  set minutes_begin_at = greatest(s.minutes_begin_at,
    date_bin('1 minute', clock_timestamp() - keep, 'epoch'));
  delete from agentdb.tool_minute as m
  using agentdb.roll_up_state as s
  where m.minute_at < s.minutes_begin_at;
  delete from agentdb.agent_minute as m
  using agentdb.roll_up_state as s
  where m.minute_at < s.minutes_begin_at;
$$;

comment on function agentdb._forget_minutes (interval) is
  'Removes minutes that no rule about the present looks at.';
