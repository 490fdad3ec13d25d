-- Locks that always end: a row a name, held by a run until it expires.  The fence is a
-- number that grows with every holder of a name, so that what is protected can tell the
-- holder of today from one that slept past its time.

-- SKIP LOCKED: who changes the row in a transaction that stays open delays nobody.
-- It respects the share lock of a fenced write that is being committed.  A tenure
-- begins when its row is locked: v_now may lie before the end of the last one.
create or replace function agentdb._take_lock (
  name text,
  first_slot integer,
  last_slot integer,
  run_id bigint,
  agent_id bigint,
  ttl interval,
  max_hold interval,
  on_disconnect boolean,
  out fence bigint,
  out expires_at timestamptz,
  out slot integer,
  out outcome text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_former bigint;
begin
  update agentdb.lock as l
  set fence = agentdb._next_fence(l.fence, l.slot, v_now),
      agent_id = _take_lock.agent_id,
      former_agent_id = l.agent_id,
      release_on_disconnect = on_disconnect,
      run_id = _take_lock.run_id,
      acquired_at = clock_timestamp(),
      renewed_at = v_now,
      expires_at = v_now + least(agentdb._exact_span(ttl), max_hold),
      hold_until = coalesce(v_now + max_hold, 'infinity'),
      renewals = 0,
      depth = 1,
      role_name = null,
      outcome = case when l.run_id is null then 'acquired' else 'taken_over' end,
      reason = null
  where l.ctid = (
    select f.ctid
    from agentdb.lock as f
    where f.lock_name = _take_lock.name
      and f.slot between first_slot and last_slot
      and not agentdb._is_live(f.expires_at, f.renewed_at, v_now)
    order by f.slot
    limit 1
    for no key update skip locked
  )
  returning l.fence, l.expires_at, l.slot, l.outcome, l.former_agent_id
    into _take_lock.fence, _take_lock.expires_at, _take_lock.slot, _take_lock.outcome,
      v_former;
  if found and (
    v_former is distinct from _take_lock.agent_id
    or agentdb._is_counted(_take_lock.fence)
  ) then
    perform agentdb._check_locks(_take_lock.agent_id);
  end if;
end;
$$;

comment on function agentdb._take_lock (
  text, integer, integer, bigint, bigint, interval, interval, boolean) is
  'Takes the first free or expired slot of a name, or returns NULL; raises ZA005.';


-- Only where nothing could be taken: says who is in the way, or makes the rows of a new
-- name.  Rows are read without a lock, so being told costs nothing and waits for
-- nobody.
create or replace function agentdb._take_otherwise (
  name text,
  first_slot integer,
  last_slot integer,
  given bigint,
  run_id bigint,
  agent_id bigint,
  ttl interval,
  max_hold interval,
  on_disconnect boolean,
  out fence bigint,
  out expires_at timestamptz,
  out slot integer,
  out outcome text,
  out holder text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  if given is not null then
    select e.* into _take_otherwise.fence, _take_otherwise.expires_at,
      _take_otherwise.slot, _take_otherwise.outcome
    from agentdb._reenter_lock(name, given, run_id) as e;
    if _take_otherwise.fence is not null then
      return;
    end if;
  end if;
  select case when l.run_id is null then 'cooling' else 'held' end,
    r.label, l.expires_at
    into _take_otherwise.outcome, _take_otherwise.holder, _take_otherwise.expires_at
  from agentdb.lock as l
  left join agentdb.run as r on r.run_id = l.run_id
  where l.lock_name = _take_otherwise.name
    and l.slot between first_slot and last_slot
    and agentdb._is_live(l.expires_at, l.renewed_at, v_now)
  order by l.expires_at
  limit 1;
  if (case
    when found then agentdb._end_gone_holders(name, first_slot, last_slot)
    else agentdb._make_lock(name, first_slot, last_slot) > 0
  end) then
    select t.* into _take_otherwise.fence, _take_otherwise.expires_at,
      _take_otherwise.slot, _take_otherwise.outcome
    from agentdb._take_lock(name, first_slot, last_slot, run_id, agent_id, ttl,
      max_hold, on_disconnect) as t;
  end if;
  if _take_otherwise.fence is null then
    _take_otherwise.outcome := coalesce(_take_otherwise.outcome, 'busy');
    perform agentdb._count_denial(name, run_id, agent_id);
  end if;
end;
$$;

comment on function agentdb._take_otherwise (
  text, integer, integer, bigint, bigint, bigint, interval, interval, boolean) is
  'Re-enters a lock, takes one whose name is new or whose holder is gone, or says what '
  'is in the way and counts the denial.';


-- The common case, a free lock that the agent had last, in two statements with as few
-- operators as can be: PostgreSQL makes each one ready, and checks the right to it, at
-- each call.  Whatever else there is to say of a call, _acquire says.  Nobody is
-- changing the row, or xmax would name a transaction: the update waits only for whoever
-- began to within the same few microseconds, for lock_timeout at most.
create or replace function agentdb.acquire_lock (
  name text,
  ttl interval default '15 minutes',
  max_hold interval default null,
  fence bigint default null,
  run bigint default null,
  release_on_disconnect boolean default false
)
  returns agentdb.acquired_lock
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_run_id bigint;
  v_agent_id bigint;
  v_stop_seen bigint;
  v_label text;
  v_max_ttl interval;
  v_strict boolean;
  v_lock agentdb.acquired_lock;
begin
  select n.run_id, n.agent_id, n.stop_seen, n.label, n.lock_max_ttl,
    n.renew_needs_progress
    into v_run_id, v_agent_id, v_stop_seen, v_label, v_max_ttl, v_strict
  from agentdb._newest_run() as n;
  if run is null and max_hold is null and ttl > '0' and ttl <= v_max_ttl then
    update agentdb.lock as l
    set fence = agentdb._next_fence(l.fence, 0, v_now), run_id = v_run_id,
        release_on_disconnect = acquire_lock.release_on_disconnect is true,
        role_name = session_user, stop_seen = v_stop_seen,
        acquired_at = clock_timestamp(), renewed_at = v_now,
        expires_at = v_now + agentdb._exact_span(ttl), hold_until = 'infinity',
        renewals = 0, depth = 1, reason = null, outcome = 'acquired'
    where l.lock_name = name
      and l.slot = 0
      and l.run_id is null
      and l.agent_id is not distinct from v_agent_id
      and l.expires_at <= v_now
      and l.xmax = 0
      and agentdb._is_unstopped(v_stop_seen)
    returning true, l.fence, l.expires_at, ceil(date_part('epoch', ttl) * 1000),
      v_label, l.outcome
      into v_lock;
    if not agentdb._is_counted(v_lock.fence) then
      return v_lock;
    elsif found then
      perform agentdb._check_locks(v_agent_id);
      return v_lock;
    end if;
  end if;
  return agentdb._acquire_otherwise(
    name, ttl, max_hold, acquire_lock.fence, run, release_on_disconnect);
end;
$$;

comment on function agentdb.acquire_lock (
  text, interval, interval, bigint, bigint, boolean) is
  'Takes a lock for the run, or says who holds it; fence => re-enters the run''s own; '
  'with release_on_disconnect => true others may take it as soon as the sessions of '
  'the run are gone; '
  'raises ZA001, ZA003, ZA004 or ZA005, never for a held lock.';


create or replace function agentdb._acquire_otherwise (
  name text,
  ttl interval,
  max_hold interval,
  given bigint,
  run bigint,
  on_disconnect boolean
)
  returns agentdb.acquired_lock
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lock agentdb.acquired_lock;
begin
  select a.acquired, a.fence, a.expires_at, a.ttl_ms, a.holder, a.outcome into v_lock
  from agentdb._acquire(name, 0, 0, ttl, max_hold, given, run, on_disconnect) as a;
  return v_lock;
end;
$$;

comment on function agentdb._acquire_otherwise (
  text, interval, interval, bigint, bigint, boolean) is
  'Takes a lock, or re-enters it, or says what is in the way, for any caller.';


create or replace function agentdb._acquire (
  name text,
  first_slot integer,
  last_slot integer,
  ttl interval,
  max_hold interval,
  given bigint,
  run bigint,
  on_disconnect boolean,
  out acquired boolean,
  out fence bigint,
  out expires_at timestamptz,
  out ttl_ms bigint,
  out holder text,
  out outcome text,
  out slot integer
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_caller record;
  v_taken record;
begin
  -- Assigned, not selected from: that saves a statement's worth of work for each call.
  v_caller := agentdb._lock_caller(_acquire.run);
  if agentdb._is_span(ttl, max_hold, v_caller.max_ttl) is not true then
    perform agentdb._refuse_span(ttl, v_caller.max_ttl, max_hold);
  end if;
  v_taken := agentdb._take_lock(name, first_slot, last_slot, v_caller.run_id,
    v_caller.agent_id, ttl, max_hold, on_disconnect is true);
  if v_taken.fence is null then
    v_taken := agentdb._take_otherwise(name, first_slot, last_slot, given,
      v_caller.run_id, v_caller.agent_id, ttl, max_hold, on_disconnect is true);
    holder := v_taken.holder;
  end if;
  fence := v_taken.fence;
  _acquire.expires_at := v_taken.expires_at;
  _acquire.slot := v_taken.slot;
  _acquire.outcome := v_taken.outcome;
  acquired := _acquire.fence is not null;
  if acquired then
    holder := v_caller.label;
  end if;
  ttl_ms := greatest(
    ceil(extract(epoch from _acquire.expires_at - clock_timestamp()) * 1000), 0);
end;
$$;

comment on function agentdb._acquire (
  text, integer, integer, interval, interval, bigint, bigint, boolean) is
  'Takes a lock, slot 0, or one of the slots of a semaphore for a run.';
