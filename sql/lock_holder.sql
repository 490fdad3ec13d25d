-- What the holder of a lock does with it: renews and releases it.  The fence tells its
-- own lock from a successor's, and only the run that took a lock may use its fence.

create or replace function agentdb.renew_lock (
  out renewed boolean,
  name text,
  fence bigint,
  ttl interval default '15 minutes',
  needs_progress boolean default false,
  run bigint default null,
  out expires_at timestamptz,
  out ttl_ms bigint,
  out outcome text
)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
  set plan_cache_mode = force_generic_plan
  -- For one row a bitmap costs twice what the index does, and is taken while the table
  -- is new to the planner.
  set enable_bitmapscan = off
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_run_id bigint;
  v_max_ttl interval;
  v_strict boolean;
begin
  if run is null then
    -- One subquery a column: PostgreSQL prepares every column of what it joins.
    select o.run_id,
      (select p.lock_max_ttl from agentdb.policy as p where p.policy_name = (
        select a.policy_name from agentdb.agent as a where a.agent_id = o.agent_id)),
      (select p.renew_needs_progress from agentdb.policy as p where p.policy_name = (
        select a.policy_name from agentdb.agent as a where a.agent_id = o.agent_id))
      into v_run_id, v_max_ttl, v_strict
    from agentdb._lone_run() as o;
  end if;
  if v_run_id is null then
    select c.run_id, c.max_ttl, c.needs_progress
      into v_run_id, v_max_ttl, v_strict
    from agentdb._lock_caller(renew_lock.run) as c;
  end if;
  if ttl is null or ttl <= '0' or ttl > v_max_ttl then
    perform agentdb._refuse_ttl(ttl, v_max_ttl);
  end if;
  update agentdb.lock as l
  set expires_at = least(v_now + agentdb._exact_span(ttl), l.hold_until),
      renewed_at = v_now,
      renewals = l.renewals + 1
  where l.lock_name = name
    and l.fence = renew_lock.fence
    and l.run_id = v_run_id
    and l.hold_until > v_now
    and (not (v_strict or needs_progress is true)
      or agentdb._has_new_step(l.run_id, l.renewed_at))
  returning true, l.expires_at, 'renewed',
    ceil(date_part('epoch', l.expires_at - v_now) * 1000)::bigint
    into renewed, renew_lock.expires_at, outcome, ttl_ms;
  if not found then
    select false, r.expires_at, r.outcome,
      greatest(ceil(date_part('epoch', r.expires_at - v_now) * 1000), 0)::bigint
      into renewed, renew_lock.expires_at, renew_lock.outcome, ttl_ms
    from agentdb._refused_renewal(name, fence, v_run_id, v_now) as r;
  end if;
end;
$$;

comment on function agentdb.renew_lock (text, bigint, interval, boolean, bigint) is
  'Prolongs a lock of the run and tells the milliseconds left, or why not: lost, '
  'max_hold or no_progress; raises ZA001, ZA003 or ZA004.';


create or replace function agentdb._refused_renewal (
  name text,
  fence bigint,
  run_id bigint,
  at timestamptz,
  out expires_at timestamptz,
  out outcome text
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  select l.expires_at,
    case when l.hold_until <= at then 'max_hold' else 'no_progress' end
    into _refused_renewal.expires_at, _refused_renewal.outcome
  from agentdb.lock as l
  where l.lock_name = name
    and l.fence = _refused_renewal.fence
    and l.run_id = _refused_renewal.run_id;
  if not found then
    outcome := 'lost';
  end if;
end;
$$;

comment on function agentdb._refused_renewal (text, bigint, bigint, timestamptz) is
  'Says why a lock was not renewed: lost, max_hold or no_progress.';


create or replace function agentdb.release_lock (
  name text,
  fence bigint,
  at_least interval default null,
  run bigint default null,
  out released boolean,
  out outcome text,
  out held_for interval,
  out cooling_until timestamptz,
  out waiting bigint
)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
  set plan_cache_mode = force_generic_plan
  -- For one row a bitmap costs twice what the index does, and is taken while the table
  -- is new to the planner.
  set enable_bitmapscan = off
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_run_id bigint;
  v_span interval;
begin
  if run is null then
    select o.run_id into v_run_id from agentdb._lone_run() as o;
  end if;
  if v_run_id is null then
    select c.run_id into v_run_id from agentdb._current_run(release_lock.run) as c;
  end if;
  if at_least is not null then
    v_span := agentdb._cooling_span(v_run_id, at_least);
  end if;
  update agentdb.lock as l
  set depth = l.depth - 1,
      run_id = case when l.depth > 1 then l.run_id end,
      outcome = case when l.depth = 1 then 'released' end,
      renewed_at = case when l.depth > 1 then l.renewed_at else l.acquired_at end,
      expires_at = case
        when l.depth > 1 then l.expires_at
        when l.acquired_at + v_span > v_now then l.acquired_at + v_span
        else '-infinity'
      end
  where l.lock_name = name
    and l.fence = release_lock.fence
    and l.run_id = v_run_id
  returning l.run_id is null, coalesce(l.outcome, 'still_held'), v_now - l.acquired_at,
    case when l.run_id is null then nullif(l.expires_at, '-infinity') end,
    (select count(*) from agentdb.lock_waiter as w
      where w.lock_name = name and w.until_at > v_now)
    into released, release_lock.outcome, held_for, cooling_until, waiting;
  if not found then
    released := false;
    release_lock.outcome := 'lost';
    waiting := 0;
  end if;
end;
$$;

comment on function agentdb.release_lock (text, bigint, interval, bigint) is
  'Gives a lock of the run back; at_least => keeps it from being taken until so long '
  'after it was acquired; raises ZA001, ZA003 or ZA004.';


create or replace function agentdb._cooling_span (run_id bigint, at_least interval)
  returns interval
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_max interval;
begin
  select p.lock_max_ttl into v_max
  from agentdb.run as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where r.run_id = _cooling_span.run_id;
  if at_least < '0' or at_least > v_max then
    perform agentdb._refuse(
      format('at_least must be between 0 and %s, got %s', v_max, at_least),
      'Give the shortest time from acquiring a lock until it can be taken again.'
    );
  end if;
  return make_interval(secs => extract(epoch from at_least));
end;
$$;

comment on function agentdb._cooling_span (bigint, interval) is
  'Checks and returns how long a lock is kept at least; raises ZA004.';
