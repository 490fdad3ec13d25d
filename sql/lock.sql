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
  v_check boolean;
begin
  update agentdb.lock as l
  set fence = agentdb._next_fence(l.fence, l.slot, v_now),
      agent_id = _take_lock.agent_id,
      run_id = _take_lock.run_id,
      acquired_at = clock_timestamp(),
      renewed_at = v_now,
      expires_at = v_now + least(agentdb._exact_span(ttl), max_hold),
      hold_until = coalesce(v_now + max_hold, 'infinity'),
      renewals = 0,
      depth = 1,
      outcome = case when l.run_id is null then 'acquired' else 'taken_over' end,
      reason = null
  from (
    select f.ctid, f.agent_id
    from agentdb.lock as f
    where f.lock_name = _take_lock.name
      and f.slot between first_slot and last_slot
      and not agentdb._is_live(f.expires_at, f.renewed_at, v_now)
    order by f.slot
    limit 1
    for no key update skip locked
  ) as f
  where l.ctid = f.ctid
  returning l.fence, l.expires_at, l.slot, l.outcome,
    f.agent_id is distinct from _take_lock.agent_id or l.fence % 32 = 0
    into _take_lock.fence, _take_lock.expires_at, _take_lock.slot, _take_lock.outcome,
      v_check;
  if v_check then
    perform agentdb._check_locks(_take_lock.agent_id);
  end if;
end;
$$;

comment on function agentdb._take_lock (
  text, integer, integer, bigint, bigint, interval, interval) is
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
    'run ' || l.run_id || ' of ' || a.agent_name, l.expires_at
    into _take_otherwise.outcome, _take_otherwise.holder, _take_otherwise.expires_at
  from agentdb.lock as l
  left join agentdb.agent as a on a.agent_id = l.agent_id
  where l.lock_name = _take_otherwise.name
    and l.slot between first_slot and last_slot
    and agentdb._is_live(l.expires_at, l.renewed_at, v_now)
  order by l.expires_at
  limit 1;
  if not found and agentdb._make_lock(name, first_slot, last_slot) > 0 then
    select t.* into _take_otherwise.fence, _take_otherwise.expires_at,
      _take_otherwise.slot, _take_otherwise.outcome
    from agentdb._take_lock(
      name, first_slot, last_slot, run_id, agent_id, ttl, max_hold) as t;
  end if;
  if _take_otherwise.fence is null then
    _take_otherwise.outcome := coalesce(_take_otherwise.outcome, 'busy');
    perform agentdb._count_denial(name, run_id, agent_id);
  end if;
end;
$$;

comment on function agentdb._take_otherwise (
  text, integer, integer, bigint, bigint, bigint, interval, interval) is
  'Re-enters a lock, takes one whose name is new, or says what is in the way and '
  'counts the denial.';


-- The common case is done in two statements without a further call, each of which would
-- cost as much as the row itself: 60 lines for half the time.  Agent and policy are not
-- joined: PostgreSQL prepares every column of what it joins.
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
  -- Arguments that are NULL would have the statements planned anew at each call.
  set plan_cache_mode = force_generic_plan
  -- For one row a bitmap costs twice what the index does, and is taken while the table
  -- is new to the planner.
  set enable_bitmapscan = off
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_run_id bigint;
  v_agent_id bigint;
  v_self text;
  v_max_ttl interval;
  v_given bigint := acquire_lock.fence;
  v_check boolean;
begin
  if run is null then
    select o.run_id, o.agent_id,
      'run ' || o.run_id || ' of ' ||
        (select a.agent_name from agentdb.agent as a where a.agent_id = o.agent_id),
      (select p.lock_max_ttl from agentdb.policy as p where p.policy_name = (
        select a.policy_name from agentdb.agent as a where a.agent_id = o.agent_id))
      into v_run_id, v_agent_id, v_self, v_max_ttl
    from agentdb._lone_run() as o;
  end if;
  if v_run_id is null then
    select c.run_id, c.agent_id, 'run ' || c.run_id || ' of ' || c.agent_name,
      c.max_ttl
      into v_run_id, v_agent_id, v_self, v_max_ttl
    from agentdb._lock_caller(acquire_lock.run) as c;
  end if;
  if ttl is null or ttl <= '0' or ttl > v_max_ttl or max_hold <= '0'
    or max_hold > '1 year' then
    perform agentdb._refuse_span(ttl, v_max_ttl, max_hold);
  end if;
  update agentdb.lock as l
  set fence = agentdb._next_fence(l.fence, 0, v_now),
      agent_id = v_agent_id, run_id = v_run_id,
      acquired_at = clock_timestamp(), renewed_at = v_now,
      expires_at = v_now + least(agentdb._exact_span(ttl), max_hold),
      hold_until = coalesce(v_now + max_hold, 'infinity'),
      renewals = 0, depth = 1, reason = null,
      outcome = case when l.run_id is null then 'acquired' else 'taken_over' end
  from (
    select f.ctid, f.agent_id from agentdb.lock as f
    where f.lock_name = acquire_lock.name and f.slot = 0
      and not agentdb._is_live(f.expires_at, f.renewed_at, v_now)
    for no key update skip locked
  ) as f
  where l.ctid = f.ctid
  returning true, l.fence, l.expires_at,
    ceil(date_part('epoch', l.expires_at - v_now) * 1000)::bigint, l.outcome,
    v_self, f.agent_id is distinct from v_agent_id or l.fence % 32 = 0
    into acquired, acquire_lock.fence, acquire_lock.expires_at, ttl_ms,
      acquire_lock.outcome, holder, v_check;
  if not found then
    select t.fence is not null, t.fence, t.expires_at,
      greatest(ceil(date_part('epoch', t.expires_at - clock_timestamp()) * 1000), 0),
      case when t.fence is null then t.holder else v_self end, t.outcome
      into acquired, acquire_lock.fence, acquire_lock.expires_at, ttl_ms, holder,
        acquire_lock.outcome
    from agentdb._take_otherwise(
      name, 0, 0, v_given, v_run_id, v_agent_id, ttl, max_hold) as t;
  elsif v_check then
    perform agentdb._check_locks(v_agent_id);
  end if;
end;
$$;

comment on function agentdb.acquire_lock (text, interval, interval, bigint, bigint) is
  'Takes a lock for the run, or says who holds it; fence => re-enters the run''s own; '
  'raises ZA001, ZA003, ZA004 or ZA005, never for a held lock.';
