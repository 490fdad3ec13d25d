-- What the roll-up adds to the days of agents: what they stored, and what was only
-- counted; and who has stored as much as it may.

-- What a row takes without its large columns, its part of the indexes included,
-- measured.  Large columns are taken as they are stored: nothing is unpacked.
create or replace function agentdb._roll_up_stored (seen pg_snapshot)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.event_day as d (agent_id, day_at, events, bytes)
  select l.agent_id, date_bin('1 day', l.recorded_at, 'epoch'), count(*), sum(l.bytes)
  from (
    select s.agent_id, s.recorded_at,
      170 + pg_column_size(s.step) + coalesce(pg_column_size(s.details), 0) as bytes
    from agentdb._uncounted_steps() as s
    where pg_visible_in_snapshot(s.xid, seen)
    union all
    select c.agent_id, c.recorded_at,
      200 + pg_column_size(c.tool) + coalesce(pg_column_size(c.args), 0)
        + coalesce(pg_column_size(c.error), 0) + coalesce(pg_column_size(c.call_id), 0)
    from agentdb._uncounted_tool_calls() as c
    where pg_visible_in_snapshot(c.xid, seen)
    union all
    select t.agent_id, t.recorded_at, 210 + coalesce(pg_column_size(t.model), 0)
    from agentdb._uncounted_tokens() as t
    where pg_visible_in_snapshot(t.xid, seen)
  ) as l
  group by 1, 2
  on conflict (agent_id, day_at) do update
  set events = d.events + excluded.events,
      bytes = d.bytes + excluded.bytes;
$$;

comment on function agentdb._roll_up_stored (pg_snapshot) is
  'Adds the events of new transactions to event_day.';


create or replace function agentdb._add_unstored_activity (
  taken agentdb.event_unstored[]
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.run_activity as a (
    run_id, last_progress_at, last_step, last_tool_call_at, last_tokens_at, steps,
    tool_calls, tool_errors, model_calls, input_tokens, cached_input_tokens,
    output_tokens, cost, input_cost, cached_input_cost, output_cost, evidence_at,
    model_calls_since
  )
  select
    t.run_id, max(t.last_progress_at),
    (array_agg(t.last_step order by t.last_progress_at desc nulls last))[1],
    max(t.last_tool_call_at), max(t.last_tokens_at), sum(t.steps), sum(t.tool_calls),
    sum(t.tool_errors), sum(t.model_calls), sum(t.input_tokens),
    sum(t.cached_input_tokens), sum(t.output_tokens), sum(t.cost), sum(t.input_cost),
    sum(t.cached_input_cost), sum(t.output_cost), max(t.evidence_at),
    -- In which order they came nobody knows: rather too few than too many.
    case when max(t.tool_calls) = 0 and max(t.evidence_at) is null
      then sum(t.model_calls) else 0 end
  from unnest(taken) as t
  group by t.run_id
  on conflict (run_id) do update
  set last_progress_at = greatest(a.last_progress_at, excluded.last_progress_at),
      last_step = case
        when excluded.last_progress_at >= coalesce(a.last_progress_at, '-infinity')
        then excluded.last_step else a.last_step end,
      last_tool_call_at = greatest(a.last_tool_call_at, excluded.last_tool_call_at),
      last_tokens_at = greatest(a.last_tokens_at, excluded.last_tokens_at),
      steps = a.steps + excluded.steps,
      tool_calls = a.tool_calls + excluded.tool_calls,
      tool_errors = a.tool_errors + excluded.tool_errors,
      model_calls = a.model_calls + excluded.model_calls,
      input_tokens = a.input_tokens + excluded.input_tokens,
      cached_input_tokens = a.cached_input_tokens + excluded.cached_input_tokens,
      output_tokens = a.output_tokens + excluded.output_tokens,
      cost = a.cost + excluded.cost,
      input_cost = a.input_cost + excluded.input_cost,
      cached_input_cost = a.cached_input_cost + excluded.cached_input_cost,
      output_cost = a.output_cost + excluded.output_cost,
      evidence_at = greatest(a.evidence_at, excluded.evidence_at),
      calls_since = case when excluded.evidence_at > a.last_tool_call_at then 0
        else a.calls_since end,
      model_calls_since = case
        when excluded.tool_calls = 0 and excluded.evidence_at is null
        then a.model_calls_since + excluded.model_calls_since else 0 end;
$$;

comment on function agentdb._add_unstored_activity (agentdb.event_unstored[]) is
  'Adds what was only counted to run_activity.';


create or replace function agentdb._add_unstored_tokens (
  taken agentdb.event_unstored[]
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.token_half_hour as h (
    agent_id, half_hour_at, input_tokens, cached_input_tokens, output_tokens, cost,
    input_cost, cached_input_cost, output_cost
  )
  select t.agent_id, t.half_hour_at, sum(t.input_tokens), sum(t.cached_input_tokens),
    sum(t.output_tokens), sum(t.cost), sum(t.input_cost), sum(t.cached_input_cost),
    sum(t.output_cost)
  from unnest(taken) as t
  where t.model_calls > 0
  group by 1, 2
  on conflict (agent_id, half_hour_at) do update
  set input_tokens = h.input_tokens + excluded.input_tokens,
      cached_input_tokens = h.cached_input_tokens + excluded.cached_input_tokens,
      output_tokens = h.output_tokens + excluded.output_tokens,
      cost = h.cost + excluded.cost,
      input_cost = h.input_cost + excluded.input_cost,
      cached_input_cost = h.cached_input_cost + excluded.cached_input_cost,
      output_cost = h.output_cost + excluded.output_cost;

  insert into agentdb.run_cost as c (
    run_id, day_at, model, model_calls, unpriced_calls, input_tokens,
    cached_input_tokens, output_tokens, cost, input_cost, cached_input_cost, output_cost
  )
  select t.run_id, date_bin('1 day', t.half_hour_at, 'epoch'), t.model,
    sum(t.model_calls), sum(t.unpriced_calls), sum(t.input_tokens),
    sum(t.cached_input_tokens), sum(t.output_tokens), sum(t.cost), sum(t.input_cost),
    sum(t.cached_input_cost), sum(t.output_cost)
  from unnest(taken) as t
  where t.model_calls > 0
  group by 1, 2, 3
  on conflict (run_id, day_at, model) do update
  set model_calls = c.model_calls + excluded.model_calls,
      unpriced_calls = c.unpriced_calls + excluded.unpriced_calls,
      input_tokens = c.input_tokens + excluded.input_tokens,
      cached_input_tokens = c.cached_input_tokens + excluded.cached_input_tokens,
      output_tokens = c.output_tokens + excluded.output_tokens,
      cost = c.cost + excluded.cost,
      input_cost = c.input_cost + excluded.input_cost,
      cached_input_cost = c.cached_input_cost + excluded.cached_input_cost,
      output_cost = c.output_cost + excluded.output_cost;
$$;

comment on function agentdb._add_unstored_tokens (agentdb.event_unstored[]) is
  'Adds what was only counted to token_half_hour and run_cost.';


create or replace function agentdb._add_unstored_days (taken agentdb.event_unstored[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.call_hour as h (agent_id, hour_at, calls, errors)
  select t.agent_id, date_bin('1 hour', t.half_hour_at, 'epoch'), sum(t.tool_calls),
    sum(t.tool_errors)
  from unnest(taken) as t
  where t.tool_calls > 0
  group by 1, 2
  on conflict (agent_id, hour_at) do update
  set calls = h.calls + excluded.calls,
      errors = h.errors + excluded.errors;

  insert into agentdb.event_day as d (agent_id, day_at, unstored)
  select t.agent_id, date_bin('1 day', t.half_hour_at, 'epoch'),
    sum(t.tool_calls + t.steps + t.model_calls)
  from unnest(taken) as t
  group by 1, 2
  on conflict (agent_id, day_at) do update
  set unstored = d.unstored + excluded.unstored;
$$;

comment on function agentdb._add_unstored_days (agentdb.event_unstored[]) is
  'Adds what was only counted to call_hour and event_day.';


-- An agent that counts and does not commit has its row locked: that is taken later.
create or replace function agentdb._roll_up_unstored ()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_taken agentdb.event_unstored[];
begin
  with taken as (
    delete from agentdb.event_unstored as u
    where (u.run_id, u.half_hour_at, u.model, u.pid) in (
      select o.run_id, o.half_hour_at, o.model, o.pid
      from agentdb.event_unstored as o
      for update skip locked)
    returning u
  )
  select array_agg(t.u) into v_taken from taken as t;
  if v_taken is not null then
    perform agentdb._add_unstored_activity(v_taken);
    perform agentdb._add_unstored_tokens(v_taken);
    perform agentdb._add_unstored_days(v_taken);
  end if;
end;
$$;

comment on function agentdb._roll_up_unstored () is
  'Takes what was only counted and adds it to all totals.';


-- What files say of the past is an operator's to store.
create or replace function agentdb._cap_agents ()
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update agentdb.event_day as d
  set capped_by = n.capped_by
  from (
    select o.agent_id, o.day_at, case
        when o.events >= p.max_events_per_day then 'max_events_per_day'
        when o.bytes >= p.max_event_bytes_per_day then 'max_event_bytes_per_day'
      end as capped_by
    from agentdb.event_day as o
    join agentdb.agent as a on a.agent_id = o.agent_id and not a.imported
    join agentdb.policy as p on p.policy_name = a.policy_name
    where o.day_at = date_bin('1 day', clock_timestamp(), 'epoch')
  ) as n
  where d.agent_id = n.agent_id
    and d.day_at = n.day_at
    and d.capped_by is distinct from n.capped_by;
$$;

comment on function agentdb._cap_agents () is
  'Writes down which agents have stored as much as they may today.';


-- Last of what counts, so that who is above its cap waits for the least.
create or replace function agentdb._roll_up_events (seen pg_snapshot)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select agentdb._roll_up_stored(seen);
  select agentdb._roll_up_unstored();
  select agentdb._cap_agents();
$$;

comment on function agentdb._roll_up_events (pg_snapshot) is
  'Counts what agents stored and what they did not, and who may store no more today.';
