-- Locks that always end: a row a name, held by a run until it expires.  The fence is a
-- number that grows with every holder of a name, so that what is protected can tell the
-- holder of today from one that slept past its time.

-- SKIP LOCKED: who changes the row in a transaction that stays open delays nobody.
-- It respects the share lock of a fenced write that is being committed.
create or replace function agentdb._take_lock (
  name text,
  first_slot integer,
  last_slot integer,
  run_id bigint,
  agent_id bigint,
  span interval,
  max_hold interval,
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
begin
  update agentdb.lock as l
  set fence = agentdb._next_fence(l.fence, l.slot, v_now),
      agent_id = _take_lock.agent_id,
      run_id = _take_lock.run_id,
      acquired_at = v_now,
      renewed_at = v_now,
      expires_at = v_now + least(span, max_hold),
      hold_until = coalesce(v_now + max_hold, 'infinity'),
      renewals = 0,
      depth = 1,
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
  returning l.fence, l.expires_at, l.slot, l.outcome
    into _take_lock.fence, _take_lock.expires_at, _take_lock.slot, _take_lock.outcome;
end;
$$;

comment on function agentdb._take_lock (text, integer, integer, bigint, bigint, interval, interval) is
  'Takes the first free or expired slot of a name, or returns NULL.';


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
  span interval,
  max_hold interval,
  out fence bigint,
  out expires_at timestamptz,
  out slot integer,
  out outcome text,
  out holder text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if given is not null then
    select e.* into _take_otherwise.fence, _take_otherwise.expires_at,
      _take_otherwise.slot, _take_otherwise.outcome
    from agentdb._reenter_lock(name, given, run_id) as e;
    if _take_otherwise.fence is not null then
      return;
    end if;
  end if;
  select b.* into _take_otherwise.outcome, _take_otherwise.holder,
    _take_otherwise.expires_at
  from agentdb._blocking_lock(name, first_slot, last_slot) as b;
  if _take_otherwise.outcome is null
    and agentdb._make_lock(name, first_slot, last_slot) > 0 then
    select t.* into _take_otherwise.fence, _take_otherwise.expires_at,
      _take_otherwise.slot, _take_otherwise.outcome
    from agentdb._take_lock(
      name, first_slot, last_slot, run_id, agent_id, span, max_hold) as t;
  end if;
  if _take_otherwise.fence is null then
    _take_otherwise.outcome := coalesce(_take_otherwise.outcome, 'busy');
    perform agentdb._count_denial(name, run_id, agent_id);
  end if;
end;
$$;

comment on function agentdb._take_otherwise (text, integer, integer, bigint, bigint, bigint, interval, interval) is
  'Re-enters a lock, takes one whose name is new, or says what is in the way and '
  'counts the denial.';


create or replace function agentdb._acquire (
  name text,
  first_slot integer,
  last_slot integer,
  ttl interval,
  max_hold interval,
  given bigint,
  run bigint,
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
  v_caller := agentdb._lock_caller(_acquire.run, _acquire.ttl, _acquire.max_hold);
  v_taken := agentdb._take_lock(name, first_slot, last_slot, v_caller.run_id,
    v_caller.agent_id, v_caller.span, max_hold);
  if v_taken.fence is null then
    v_taken := agentdb._take_otherwise(name, first_slot, last_slot, given,
      v_caller.run_id, v_caller.agent_id, v_caller.span, max_hold);
    holder := v_taken.holder;
  end if;
  fence := v_taken.fence;
  _acquire.expires_at := v_taken.expires_at;
  _acquire.slot := v_taken.slot;
  _acquire.outcome := v_taken.outcome;
  acquired := _acquire.fence is not null;
  if acquired then
    holder := v_caller.holder;
    if v_caller.spare <= 32 and _acquire.outcome <> 'reentered' then
      perform agentdb._check_locks(v_caller.agent_id);
    end if;
  end if;
  ttl_ms := greatest(
    ceil(extract(epoch from _acquire.expires_at - clock_timestamp()) * 1000), 0);
end;
$$;

comment on function agentdb._acquire (text, integer, integer, interval, interval, bigint, bigint) is
  'Takes one of the slots of a name for a run; what acquire_lock and acquire_slot '
  'have in common.';


-- Arguments that are NULL would have the statements planned anew at each call.
create or replace function agentdb.acquire_lock (
  out acquired boolean,
  name text,
  ttl interval default '15 minutes',
  max_hold interval default null,
  inout fence bigint default null,
  run bigint default null,
  out expires_at timestamptz,
  out ttl_ms bigint,
  out holder text,
  out outcome text
)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_got record;
begin
  v_got := agentdb._acquire(
    acquire_lock.name, 0, 0, acquire_lock.ttl, acquire_lock.max_hold,
    acquire_lock.fence, acquire_lock.run);
  acquired := v_got.acquired;
  acquire_lock.fence := v_got.fence;
  acquire_lock.expires_at := v_got.expires_at;
  acquire_lock.ttl_ms := v_got.ttl_ms;
  acquire_lock.holder := v_got.holder;
  acquire_lock.outcome := v_got.outcome;
end;
$$;

comment on function agentdb.acquire_lock (text, interval, interval, bigint, bigint) is
  'Takes a lock for the run, or says who holds it; fence => re-enters the run''s own; '
  'raises ZA001, ZA003, ZA004 or ZA005, never for a held lock.';
