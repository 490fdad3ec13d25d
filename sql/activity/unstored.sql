-- What an agent logs once it has stored as much as it may in a UTC day (policy
-- max_events_per_day, max_event_bytes_per_day): it is counted, and no row is kept.
--
-- Each session counts in rows of its own, so that none waits for another, nor for an
-- agent that counts and does not commit: the roll-up takes what nobody has locked
-- (roll_up_event.sql).  Budgets add what it has not taken yet.

create or replace function agentdb._cap_text (setting text, most bigint)
  returns text
  language sql
  immutable
  return format('What you log is above the cap of your agent for today '
    '(policy.%s, %s): it is counted and not stored until 00:00 UTC.  Locks, stops and '
    'budgets go on.  Log less, or ask a person to raise it.', setting, most);

comment on function agentdb._cap_text (text, bigint) is
  'What an agent is told that has stored as much as it may today.';


-- Whatever else there is to say comes with it, but the same only once.
create or replace function agentdb._cap_advice (agent bigint, said text)
  returns text
  language sql
  stable
  return (
    select case when said like '%policy.max_event%' then said
      else concat_ws('  ', agentdb._cap_text(c.setting, c.most), said) end
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    left join agentdb.event_day as d
      on d.agent_id = a.agent_id
      and d.day_at = date_bin('1 day', statement_timestamp(), 'epoch')
    cross join lateral (
      select coalesce(d.capped_by, 'max_events_per_day') as setting,
        case when d.capped_by = 'max_event_bytes_per_day' then p.max_event_bytes_per_day
          else p.max_events_per_day end as most
    ) as c
    where a.agent_id = agent
  );

comment on function agentdb._cap_advice (bigint, text) is
  'What a call answers that was counted and not stored, with what else its run should '
  'know.';


create or replace function agentdb._add_unstored (
  run bigint,
  agent bigint,
  tool_calls bigint,
  tool_errors bigint,
  steps bigint,
  last_step text,
  evidence boolean
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  insert into agentdb.event_unstored as u (
    run_id, half_hour_at, model, pid, agent_id, tool_calls, tool_errors, steps,
    last_step, last_tool_call_at, last_progress_at, evidence_at
  )
  values (
    run, date_bin('30 minutes', v_now, 'epoch'), '', pg_backend_pid(), agent,
    _add_unstored.tool_calls, _add_unstored.tool_errors, _add_unstored.steps,
    _add_unstored.last_step, case when _add_unstored.tool_calls > 0 then v_now end,
    case when _add_unstored.steps > 0 then v_now end, case when evidence then v_now end
  )
  on conflict on constraint event_unstored_pkey do update
  set tool_calls = u.tool_calls + excluded.tool_calls,
      tool_errors = u.tool_errors + excluded.tool_errors,
      steps = u.steps + excluded.steps,
      last_step = coalesce(excluded.last_step, u.last_step),
      last_tool_call_at = coalesce(excluded.last_tool_call_at, u.last_tool_call_at),
      last_progress_at = coalesce(excluded.last_progress_at, u.last_progress_at),
      evidence_at = coalesce(excluded.evidence_at, u.evidence_at);
end;
$$;

comment on function agentdb._add_unstored (
  bigint, bigint, bigint, bigint, bigint, text, boolean) is
  'Counts tool calls and steps that are not stored.';


-- One that was begun ends here, and its row goes: it is needed no more.  One that had
-- been recorded before is no new one.
create or replace function agentdb._count_calls (
  run bigint,
  agent bigint,
  calls jsonb,
  kind text default null
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_calls bigint;
  v_errors bigint;
begin
  with item as materialized (
    select e.item ->> 'call_id' as call_id,
      coalesce((e.item ->> 'ok')::boolean, true) as ok,
      row_number() over (partition by e.item ->> 'call_id' order by e.place) as turn
    from jsonb_array_elements(calls) with ordinality as e (item, place)
    where kind is null or e.item ->> 'kind' = kind
  ),
  fresh as materialized (
    select i.call_id, i.ok
    from item as i
    where i.call_id is null or i.turn = 1 and not exists (
      select from agentdb.tool_call as c
      where c.run_id = run and c.call_id = i.call_id
        and c.ended_at is not null and c.run_outcome is null)
  ),
  ended as (
    delete from agentdb.tool_call as c
    where c.run_id = run
      and c.call_id = any (array(
        select o.call_id
        from agentdb.tool_call as o
        where o.run_id = run
          and o.ended_at is null
          and o.call_id in (select f.call_id from fresh as f)
        order by o.call_id
        for update))
  )
  select count(*), count(*) filter (where not f.ok) into v_calls, v_errors
  from fresh as f;
  if v_calls > 0 then
    perform agentdb._add_unstored(run, agent, v_calls, v_errors, 0, null, false);
  end if;
  return v_calls;
end;
$$;

comment on function agentdb._count_calls (bigint, bigint, jsonb, text) is
  'Counts the calls of a batch, or those of a kind in it, that are not stored; returns '
  'how many were new.';


-- Nobody remembers what was said above the cap: a step that is new to what was stored
-- is evidence each time.  Who says too much is not looked at to the end.
create or replace function agentdb._count_steps (
  run bigint,
  agent bigint,
  steps text[]
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_steps bigint := coalesce(cardinality(steps), 0);
begin
  if v_steps > 0 then
    perform agentdb._add_unstored(run, agent, 0, 0, v_steps,
      agentdb._clean_text(steps[v_steps], 500), exists (
        select from unnest(steps[greatest(v_steps - 99, 1):]) as s (step)
        where agentdb._step_signature(agentdb._clean_text(s.step, 500)) not in (
          select k.step_signature from agentdb.run_step as k where k.run_id = run)));
  end if;
  return v_steps;
end;
$$;

comment on function agentdb._count_steps (bigint, bigint, text[]) is
  'Counts steps that are not stored, and returns how many.';


create or replace view agentdb.events_by_agent_day as
  select
    a.agent_name, (d.day_at at time zone 'UTC')::date as day, d.events, d.bytes,
    d.unstored, d.capped_by
  from agentdb.event_day as d
  join agentdb.agent as a on a.agent_id = d.agent_id;

comment on view agentdb.events_by_agent_day is
  'How many events each agent stored a UTC day, and how many were only counted, as of '
  'the last roll-up.';
comment on column agentdb.events_by_agent_day.agent_name is
  'The agent.';
comment on column agentdb.events_by_agent_day.day is
  'The UTC day.';
comment on column agentdb.events_by_agent_day.events is
  'Tool calls, steps and model calls that were stored.';
comment on column agentdb.events_by_agent_day.bytes is
  'What they take on disk, about.';
comment on column agentdb.events_by_agent_day.unstored is
  'Those that were counted and not stored, for the agent was above its cap.';
comment on column agentdb.events_by_agent_day.capped_by is
  'The setting of its policy that it has reached; NULL where it has not.';
