-- The roll-up: what the runner adds to the row of a run, of what a snapshot sees and
-- the one before it did not.

create or replace function agentdb._roll_up_progress (seen pg_snapshot)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.run_activity as a (run_id, last_progress_at, last_step, steps)
  select
    l.run_id, max(l.recorded_at),
    (array_agg(l.step order by l.recorded_at desc))[1], count(*)
  from agentdb._uncounted_steps() as l
  where pg_visible_in_snapshot(l.xid, seen)
  group by l.run_id
  on conflict (run_id) do update
  set last_progress_at = greatest(a.last_progress_at, excluded.last_progress_at),
      last_step = case
        when excluded.last_progress_at < a.last_progress_at then a.last_step
        else excluded.last_step
      end,
      steps = a.steps + excluded.steps;
$$;

comment on function agentdb._roll_up_progress (pg_snapshot) is
  'Adds the progress of new transactions to run_activity.';


create or replace function agentdb._roll_up_tool_calls (seen pg_snapshot)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.run_activity as a (
    run_id, last_tool_call_at, tool_calls, tool_errors, calls_since
  )
  select
    l.run_id, max(l.recorded_at), count(*), count(*) filter (where not l.ok),
    count(*) filter (where v.evidence_at is null or l.recorded_at > v.evidence_at)
  from agentdb._uncounted_tool_calls() as l
  left join agentdb.run_activity as v on v.run_id = l.run_id
  where pg_visible_in_snapshot(l.xid, seen)
  group by l.run_id
  on conflict (run_id) do update
  set last_tool_call_at = greatest(a.last_tool_call_at, excluded.last_tool_call_at),
      tool_calls = a.tool_calls + excluded.tool_calls,
      tool_errors = a.tool_errors + excluded.tool_errors,
      calls_since = a.calls_since + excluded.calls_since,
      -- Of what was committed late too much is counted rather than too little: the
      -- rules look themselves at what is enough to be looked at.
      model_calls_since = case
        when excluded.last_tool_call_at < a.last_tokens_at then a.model_calls_since
        else 0 end;

  insert into agentdb.tool_day as d (agent_id, tool, day_at, calls, errors)
  select
    l.agent_id, l.tool, date_bin('1 day', l.recorded_at, 'epoch'), count(*),
    count(*) filter (where not l.ok)
  from agentdb._uncounted_tool_calls() as l
  where pg_visible_in_snapshot(l.xid, seen)
  group by 1, 2, 3
  on conflict (agent_id, tool, day_at) do update
  set calls = d.calls + excluded.calls,
      errors = d.errors + excluded.errors;

  insert into agentdb.call_hour as h (agent_id, hour_at, calls, errors)
  select
    l.agent_id, date_bin('1 hour', l.recorded_at, 'epoch'), count(*),
    count(*) filter (where not l.ok)
  from agentdb._uncounted_tool_calls() as l
  where pg_visible_in_snapshot(l.xid, seen)
  group by 1, 2
  on conflict (agent_id, hour_at) do update
  set calls = h.calls + excluded.calls,
      errors = h.errors + excluded.errors;
$$;

comment on function agentdb._roll_up_tool_calls (pg_snapshot) is
  'Adds the tool calls of new transactions to run_activity, tool_day and '
  'call_hour.';


create or replace function agentdb._roll_up_tokens (seen pg_snapshot)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.run_activity as a (
    run_id, last_tokens_at, model_calls, input_tokens, cached_input_tokens,
    output_tokens, cost, input_cost, cached_input_cost, output_cost, model_calls_since
  )
  select
    l.run_id, max(l.recorded_at), count(*), sum(l.input_tokens),
    sum(l.cached_input_tokens), sum(l.output_tokens), coalesce(sum(l.cost), 0),
    coalesce(sum(l.input_cost), 0), coalesce(sum(l.cached_input_cost), 0),
    coalesce(sum(l.output_cost), 0),
    count(*) filter (where l.recorded_at > coalesce(
      greatest(v.evidence_at, v.last_tool_call_at), '-infinity'))
  from agentdb._uncounted_tokens() as l
  left join agentdb.run_activity as v on v.run_id = l.run_id
  where pg_visible_in_snapshot(l.xid, seen)
  group by l.run_id
  on conflict (run_id) do update
  set last_tokens_at = greatest(a.last_tokens_at, excluded.last_tokens_at),
      model_calls = a.model_calls + excluded.model_calls,
      input_tokens = a.input_tokens + excluded.input_tokens,
      cached_input_tokens = a.cached_input_tokens + excluded.cached_input_tokens,
      output_tokens = a.output_tokens + excluded.output_tokens,
      cost = a.cost + excluded.cost,
      input_cost = a.input_cost + excluded.input_cost,
      cached_input_cost = a.cached_input_cost + excluded.cached_input_cost,
      output_cost = a.output_cost + excluded.output_cost,
      model_calls_since = a.model_calls_since + excluded.model_calls_since;

  insert into agentdb.token_half_hour as h (
    agent_id, half_hour_at, input_tokens, cached_input_tokens, output_tokens, cost,
    input_cost, cached_input_cost, output_cost
  )
  select
    l.agent_id, date_bin('30 minutes', l.recorded_at, 'epoch'), sum(l.input_tokens),
    sum(l.cached_input_tokens), sum(l.output_tokens), coalesce(sum(l.cost), 0),
    coalesce(sum(l.input_cost), 0), coalesce(sum(l.cached_input_cost), 0),
    coalesce(sum(l.output_cost), 0)
  from agentdb._uncounted_tokens() as l
  where pg_visible_in_snapshot(l.xid, seen)
  group by 1, 2
  on conflict (agent_id, half_hour_at) do update
  set input_tokens = h.input_tokens + excluded.input_tokens,
      cached_input_tokens = h.cached_input_tokens + excluded.cached_input_tokens,
      output_tokens = h.output_tokens + excluded.output_tokens,
      cost = h.cost + excluded.cost,
      input_cost = h.input_cost + excluded.input_cost,
      cached_input_cost = h.cached_input_cost + excluded.cached_input_cost,
      output_cost = h.output_cost + excluded.output_cost;
$$;

comment on function agentdb._roll_up_tokens (pg_snapshot) is
  'Adds the tokens of new transactions to run_activity and token_half_hour.';


create or replace function agentdb._roll_up_cost (seen pg_snapshot)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.run_cost as c (
    run_id, day_at, model, model_calls, unpriced_calls, input_tokens,
    cached_input_tokens, output_tokens, cost, input_cost, cached_input_cost, output_cost
  )
  select
    l.run_id, date_bin('1 day', l.recorded_at, 'epoch'), coalesce(l.model, ''),
    count(*), count(*) filter (where l.cost is null), sum(l.input_tokens),
    sum(l.cached_input_tokens), sum(l.output_tokens), coalesce(sum(l.cost), 0),
    coalesce(sum(l.input_cost), 0), coalesce(sum(l.cached_input_cost), 0),
    coalesce(sum(l.output_cost), 0)
  from agentdb._uncounted_tokens() as l
  where pg_visible_in_snapshot(l.xid, seen)
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

comment on function agentdb._roll_up_cost (pg_snapshot) is
  'Adds the cost of new transactions to run_cost.';


create or replace function agentdb._roll_up_evidence (seen pg_snapshot)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with step as materialized (
    select n.run_id, n.step_signature, n.at
    from agentdb._new_step(seen, 'infinity') as n
  ),
  added as (
    insert into agentdb.run_step (run_id, step_signature)
    select n.run_id, n.step_signature from step as n
  ),
  evidence as (
    select n.run_id, n.at from step as n
    union all
    select l.run_id, l.recorded_at
    from agentdb._uncounted_writes() as l
    join agentdb.run as r on r.run_id = l.run_id
    where pg_visible_in_snapshot(l.xid, seen)
  )
  insert into agentdb.run_activity as a (run_id, evidence_at)
  select e.run_id, max(e.at)
  from evidence as e
  group by e.run_id
  on conflict (run_id) do update
  set evidence_at = excluded.evidence_at,
      calls_since = case
        when excluded.evidence_at < a.last_tool_call_at then a.calls_since else 0 end,
      model_calls_since = case
        when excluded.evidence_at < a.last_tokens_at then a.model_calls_since
        else 0 end
  where a.evidence_at is null or a.evidence_at < excluded.evidence_at;
$$;

comment on function agentdb._roll_up_evidence (pg_snapshot) is
  'Moves run_activity.evidence_at to the last evidence of new transactions.';


-- PostgreSQL leaves the asker's own transaction out of the list, and it counts as over
-- once a later one is.
create or replace function agentdb._snapshot_now ()
  returns pg_snapshot
  language sql
  stable
  return (
    select case
      when o.own is null or o.own >= pg_snapshot_xmax(o.now) then o.now
      else format('%s:%s:%s', least(o.own, pg_snapshot_xmin(o.now)),
        pg_snapshot_xmax(o.now), (
          select string_agg(x.xid::text, ',' order by x.xid)
          from (select pg_snapshot_xip(o.now) union select o.own) as x (xid)
        ))::pg_snapshot
    end
    from (
      select pg_current_snapshot() as now, pg_current_xact_id_if_assigned() as own
    ) as o
  );

comment on function agentdb._snapshot_now () is
  'What others see as committed now: the snapshot of the statement, with the own '
  'transaction among the open ones.';


-- Bounded, so that a long pause is caught up with in steps that all succeed.  Our own
-- transaction may write events after this: it counts as open.
create or replace function agentdb._next_count (counted pg_snapshot)
  returns pg_snapshot
  language sql
  volatile
  return (
    -- PostgreSQL 14 has no min() of these.
    select format('%s:%s:%s',
      coalesce((array_agg(o.xid order by o.xid))[1], b.below), b.below,
      string_agg(o.xid::text, ',' order by o.xid))::pg_snapshot
    from (
      select least(pg_snapshot_xmax(pg_current_snapshot()),
        (pg_snapshot_xmax(counted)::text::bigint + 500000)::text::xid8) as below
    ) as b
    left join pg_snapshot_xip(agentdb._snapshot_now()) as o (xid) on o.xid < b.below
    group by b.below
  );

comment on function agentdb._next_count (pg_snapshot) is
  'The snapshot up to which the roll-up counts next: what a later statement sees of it '
  'is committed, and not our own.';


create or replace function agentdb._roll_up_all (seen pg_snapshot)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._roll_up_progress(seen);
  perform agentdb._roll_up_evidence(seen);
  perform agentdb._roll_up_tool_calls(seen);
  perform agentdb._roll_up_tokens(seen);
  perform agentdb._roll_up_cost(seen);
  perform agentdb._roll_up_events(seen);
  perform agentdb._roll_up_steps_of_minutes(seen);
  perform agentdb._roll_up_calls_of_minutes(seen);
  perform agentdb._roll_up_tokens_of_minutes(seen);
end;
$$;

comment on function agentdb._roll_up_all (pg_snapshot) is
  'Adds what a snapshot sees, and is not counted yet, to the roll-ups.';


create or replace function agentdb.roll_up ()
  returns interval
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_counted pg_snapshot;
  v_seen pg_snapshot;
begin
  select s.counted into v_counted from agentdb.roll_up_state as s
  for update skip locked;
  if found then
    -- Taken after the lock: it sees all that the last one saw.
    v_seen := agentdb._next_count(v_counted);
    perform agentdb._roll_up_all(v_seen);
    update agentdb.roll_up_state as s
    set counted = v_seen,
        rolled_at = clock_timestamp();
    perform agentdb._roll_up_refusals();
    -- Last, because whoever ends a run waits for it.
    perform agentdb._pass_limits(null);
    perform agentdb._pass_stop();
  end if;
  return (
    select clock_timestamp() - nullif(s.rolled_at, '-infinity')
    from agentdb.roll_up_state as s
  );
end;
$$;

comment on function agentdb.roll_up () is
  'Adds what was committed since the last time to the roll-ups and returns their age; '
  'a second caller leaves at once.';
