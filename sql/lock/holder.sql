-- What the holder of a lock does with it: renews and releases it.  The fence tells its
-- own lock from a successor's, and only the run that took a lock may use its fence.

-- The common case: the lock of the role's only open run, and no progress is asked for.
create or replace function agentdb.renew_lock (
  name text,
  fence bigint,
  ttl interval default '15 minutes',
  needs_progress boolean default false,
  run bigint default null
)
  returns agentdb.renewed_lock
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
  -- For one row a bitmap costs twice what the index does, and is taken while the table
  -- is new to the planner.
  set enable_bitmapscan = off
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_run_id bigint;
  v_agent_id bigint;
  v_stop_seen bigint;
  v_label text;
  v_max_ttl interval;
  v_strict boolean;
  v_lock agentdb.renewed_lock;
begin
  select n.run_id, n.agent_id, n.stop_seen, n.label, n.lock_max_ttl,
    n.renew_needs_progress
    into v_run_id, v_agent_id, v_stop_seen, v_label, v_max_ttl, v_strict
  from agentdb._newest_run() as n;
  if run is null and not v_strict and needs_progress is not true
    and ttl > '0' and ttl <= v_max_ttl then
    update agentdb.lock as l
    set expires_at = least(v_now + agentdb._exact_span(ttl), l.hold_until),
        renewed_at = v_now,
        renewals = l.renewals + 1
    where l.lock_name = name
      and l.fence = renew_lock.fence
      and l.run_id = v_run_id
      and l.hold_until > v_now
      and agentdb._is_unstopped(v_stop_seen)
    returning true, l.expires_at,
      ceil(date_part('epoch', l.expires_at - v_now) * 1000), 'renewed'
      into v_lock;
    if found then
      return v_lock;
    end if;
  end if;
  return agentdb._renew_otherwise(name, fence, ttl, needs_progress, run);
end;
$$;

comment on function agentdb.renew_lock (text, bigint, interval, boolean, bigint) is
  'Prolongs a lock of the run and tells the milliseconds left, or why not: lost, '
  'max_hold or no_progress; raises ZA001, ZA003 or ZA004.';


-- Of several open runs of a role the fence says which one is meant.
create or replace function agentdb._holding_run (name text, fence bigint, run bigint)
  returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(run, agentdb._bound_run(), (
    select r.run_id
    from agentdb.lock as l
    join agentdb.run as r on r.run_id = l.run_id
    where l.lock_name = name
      and l.fence = _holding_run.fence
      and r.role_name = session_user
      and not r.pooled
  ));
end;
$$;

comment on function agentdb._holding_run (text, bigint, bigint) is
  'The run that a call about a lock means: the argument, the bound token''s, or the '
  'role''s own that holds the lock, else NULL.';


create or replace function agentdb._renew_otherwise (
  name text,
  fence bigint,
  ttl interval,
  needs_progress boolean,
  run bigint
)
  returns agentdb.renewed_lock
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_caller record;
  v_strict boolean;
  v_lock agentdb.renewed_lock;
begin
  v_caller := agentdb._lock_caller(agentdb._holding_run(name, fence, run));
  if agentdb._is_span(ttl, null, v_caller.max_ttl) is not true then
    perform agentdb._refuse_ttl(ttl, v_caller.max_ttl);
  end if;
  v_strict := v_caller.needs_progress or needs_progress is true;
  update agentdb.lock as l
  set expires_at = least(v_now + agentdb._exact_span(ttl), l.hold_until),
      renewed_at = v_now,
      renewals = l.renewals + 1
  where l.lock_name = name
    and l.fence = _renew_otherwise.fence
    and l.run_id = v_caller.run_id
    and l.hold_until > v_now
    and (not v_strict or agentdb._has_new_step(l.run_id, l.renewed_at))
  returning true, l.expires_at,
    ceil(date_part('epoch', l.expires_at - v_now) * 1000), 'renewed'
    into v_lock;
  if not found then
    return agentdb._refused_renewal(name, fence, v_caller.run_id, v_now);
  end if;
  return v_lock;
end;
$$;

comment on function agentdb._renew_otherwise (
  text, bigint, interval, boolean, bigint) is
  'Prolongs a lock of any caller''s run, or says why not.';


create or replace function agentdb._refused_renewal (
  name text,
  fence bigint,
  run_id bigint,
  at timestamptz
)
  returns agentdb.renewed_lock
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lock agentdb.renewed_lock;
begin
  select false, l.expires_at,
    greatest(ceil(date_part('epoch', l.expires_at - at) * 1000), 0),
    case when l.hold_until <= at then 'max_hold' else 'no_progress' end
    into v_lock
  from agentdb.lock as l
  where l.lock_name = name
    and l.fence = _refused_renewal.fence
    and l.run_id = _refused_renewal.run_id;
  if not found then
    return (false, null, null, 'lost')::agentdb.renewed_lock;
  end if;
  return v_lock;
end;
$$;

comment on function agentdb._refused_renewal (text, bigint, bigint, timestamptz) is
  'Says why a lock was not renewed: lost, max_hold or no_progress.';


-- The common case: the lock was taken by the role's only open run, and nobody was
-- stopped since.
create or replace function agentdb.release_lock (
  name text,
  fence bigint,
  at_least interval default null,
  run bigint default null
)
  returns agentdb.released_lock
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_lock agentdb.released_lock;
begin
  update agentdb.lock as l
  set depth = 0,
      run_id = null,
      outcome = 'released',
      expires_at = '-infinity'
  where l.lock_name = name
    and l.slot = 0
    and l.fence = release_lock.fence
    and l.run_id is not null
    and l.depth = 1
    and l.role_name = session_user
    and agentdb._is_unstopped(
      case when at_least is null and run is null then l.stop_seen end)
  returning true, l.outcome, clock_timestamp() - l.acquired_at, null,
    agentdb._waiting(name, l.fence)
    into v_lock;
  if found then
    return v_lock;
  end if;
  return agentdb._release_otherwise(name, fence, at_least, run);
end;
$$;

comment on function agentdb.release_lock (text, bigint, interval, bigint) is
  'Gives a lock of the run back; at_least => keeps it from being taken until so long '
  'after it was acquired; raises ZA001, ZA003 or ZA004.';


create or replace function agentdb._release_otherwise (
  name text,
  fence bigint,
  at_least interval,
  run bigint
)
  returns agentdb.released_lock
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_caller record;
  v_span interval;
  v_lock agentdb.released_lock;
begin
  v_caller := agentdb._lock_caller(agentdb._holding_run(name, fence, run));
  if at_least is not null then
    v_span := agentdb._cooling_span(v_caller.max_ttl, at_least);
  end if;
  update agentdb.lock as l
  set depth = 0,
      run_id = null,
      outcome = 'released',
      renewed_at = l.acquired_at,
      expires_at = coalesce(l.acquired_at + v_span, '-infinity')
  where l.lock_name = name
    and l.fence = _release_otherwise.fence
    and l.run_id = v_caller.run_id
    and l.depth = 1
  returning true, l.outcome, v_now - l.acquired_at,
    case when l.expires_at > v_now then l.expires_at end,
    agentdb._waiting(name, l.fence)
    into v_lock;
  if not found then
    return agentdb._leave_lock(name, fence, v_caller.run_id, v_now);
  end if;
  return v_lock;
end;
$$;

comment on function agentdb._release_otherwise (text, bigint, interval, bigint) is
  'Gives a lock of any caller''s run back, at once or after it has cooled.';


create or replace function agentdb._leave_lock (
  name text,
  fence bigint,
  run_id bigint,
  at timestamptz
)
  returns agentdb.released_lock
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_held_for interval;
begin
  update agentdb.lock as l
  set depth = l.depth - 1
  where l.lock_name = name
    and l.fence = _leave_lock.fence
    and l.run_id = _leave_lock.run_id
    and l.depth > 1
  returning at - l.acquired_at into v_held_for;
  return (false, case when found then 'still_held' else 'lost' end, v_held_for, null,
    agentdb._waiting(name, fence))::agentdb.released_lock;
end;
$$;

comment on function agentdb._leave_lock (text, bigint, bigint, timestamptz) is
  'Takes back one of several entries into a lock, or says that it is lost.';


create or replace function agentdb._cooling_span (max_ttl interval, at_least interval)
  returns interval
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if at_least < '0' or at_least > max_ttl then
    perform agentdb._refuse(
      format('at_least must be between 0 and %s, got %s', max_ttl, at_least),
      'Give the shortest time from acquiring a lock until it can be taken again.'
    );
  end if;
  return agentdb._exact_span(at_least);
end;
$$;

comment on function agentdb._cooling_span (interval, interval) is
  'Checks and returns how long a lock is kept at least; raises ZA004.';
