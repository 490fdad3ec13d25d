-- Locks that always end: a row a name, held by a run until it expires.  The fence is a
-- number that grows with every holder of a name, so that what is protected can tell the
-- holder of today from one that slept past its time.

-- A stored time further ahead than its own span comes from a clock that has been set
-- back since; believed, it would be a lock that nobody can take.
create or replace function agentdb._is_live (
  expires_at timestamptz,
  renewed_at timestamptz,
  at timestamptz
)
  returns boolean
  language sql
  immutable
  parallel safe
  return case
    when expires_at > at then expires_at - renewed_at >= renewed_at - at
    else false
  end;

comment on function agentdb._is_live (timestamptz, timestamptz, timestamptz) is
  'Tells whether a lock, or its cooling, still lasts at a moment; also after the clock was set back.';


-- Microseconds of the clock survive a restore to an earlier state, where a sequence would
-- count the same numbers again; the former fence survives a clock that is set back.  The
-- slots of a semaphore differ in the last three digits.
create or replace function agentdb._next_fence (
  former bigint,
  slot integer,
  at timestamptz
)
  returns bigint
  language sql
  immutable
  parallel safe
  return case
    when slot = 0
      then greatest(former + 1, (extract(epoch from at) * 1000000)::bigint)
    else greatest(former / 1000 + 1, (extract(epoch from at) * 1000)::bigint) * 1000
      + slot - 1
  end;

comment on function agentdb._next_fence (bigint, integer, timestamptz) is
  'Returns a fence greater than the former one of the lock or slot.';


create or replace function agentdb._refuse_ttl (ttl interval, max_ttl interval)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._refuse(
    format('ttl must be between 0 and %s, got %s', max_ttl, coalesce(ttl::text, 'NULL')),
    'Give the longest time that one step can take, for example ttl => ''15 min''; '
      'renew_lock prolongs it.  policy.lock_max_ttl is the maximum.'
  );
end;
$$;

comment on function agentdb._refuse_ttl (interval, interval) is
  'Raises ZA004 for a time that no lock can have.';


-- What taking a lock needs to know of the caller, in one statement.
create or replace function agentdb._lock_caller (
  run bigint,
  ttl interval,
  max_hold interval,
  out run_id bigint,
  out agent_id bigint,
  out holder text,
  out span interval,
  out spare bigint
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_max_ttl interval;
begin
  select c.run_id, c.agent_id, 'run ' || c.run_id || ' of ' || a.agent_name,
    p.lock_max_ttl, p.max_locks - (
      select count(*) from agentdb.lock as l where l.agent_id = c.agent_id
    )
    into _lock_caller.run_id, _lock_caller.agent_id, holder, v_max_ttl, spare
  from agentdb._current_run(_lock_caller.run) as c
  join agentdb.agent as a on a.agent_id = c.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name;
  if ttl is null or ttl <= '0' or ttl > v_max_ttl then
    perform agentdb._refuse_ttl(ttl, v_max_ttl);
  elsif max_hold <= '0' or max_hold > '1 year' then
    perform agentdb._refuse(
      format('max_hold must be between 0 and 1 year, got %s', max_hold),
      'Give the time after which renewals end, or leave it out.'
    );
  end if;
  -- Months and days would stretch with the calendar, and could even end in the past.
  span := make_interval(secs => extract(epoch from ttl));
end;
$$;

comment on function agentdb._lock_caller (bigint, interval, interval) is
  'Resolves the run that wants a lock, its name for others, its time and how many locks it may still take; raises ZA001, ZA003 or ZA004.';


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
  with former as (
    select l.slot, l.run_id
    from agentdb.lock as l
    where l.lock_name = _take_lock.name
      and l.slot between first_slot and last_slot
      and not agentdb._is_live(l.expires_at, l.renewed_at, v_now)
    order by l.slot
    limit 1
    for no key update skip locked
  )
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
      outcome = null,
      reason = null
  from former
  where l.lock_name = _take_lock.name and l.slot = former.slot
  returning l.fence, l.expires_at, l.slot,
    case when former.run_id is null then 'acquired' else 'taken_over' end
    into _take_lock.fence, _take_lock.expires_at, _take_lock.slot, _take_lock.outcome;
end;
$$;

comment on function agentdb._take_lock (text, integer, integer, bigint, bigint, interval, interval) is
  'Takes the first free or expired slot of a name, or returns NULL.';


-- Only where nothing could be taken: says who is in the way, or makes the rows of a new
-- name.  Rows are read without a lock, so being told costs nothing and waits for nobody.
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
  'Re-enters a lock, takes one whose name is new, or says what is in the way and counts the denial.';


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
  v_run_id bigint;
  v_agent_id bigint;
  v_holder text;
  v_span interval;
  v_spare bigint;
begin
  select c.* into v_run_id, v_agent_id, v_holder, v_span, v_spare
  from agentdb._lock_caller(_acquire.run, _acquire.ttl, _acquire.max_hold) as c;
  select t.* into _acquire.fence, _acquire.expires_at, _acquire.slot, _acquire.outcome
  from agentdb._take_lock(
    name, first_slot, last_slot, v_run_id, v_agent_id, v_span, max_hold) as t;
  if _acquire.fence is null then
    select o.* into _acquire.fence, _acquire.expires_at, _acquire.slot,
      _acquire.outcome, _acquire.holder
    from agentdb._take_otherwise(name, first_slot, last_slot, given, v_run_id,
      v_agent_id, v_span, max_hold) as o;
  end if;
  acquired := _acquire.fence is not null;
  if acquired then
    holder := v_holder;
    if v_spare <= 32 and _acquire.outcome <> 'reentered' then
      perform agentdb._check_locks(v_agent_id);
    end if;
  end if;
  ttl_ms := greatest(
    ceil(extract(epoch from _acquire.expires_at - clock_timestamp()) * 1000), 0);
end;
$$;

comment on function agentdb._acquire (text, integer, integer, interval, interval, bigint, bigint) is
  'Takes one of the slots of a name for a run; what acquire_lock and acquire_slot have in common.';


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
as $$
begin
  select a.acquired, a.fence, a.expires_at, a.ttl_ms, a.holder, a.outcome
    into acquire_lock.acquired, acquire_lock.fence, acquire_lock.expires_at,
      acquire_lock.ttl_ms, acquire_lock.holder, acquire_lock.outcome
  from agentdb._acquire(
    acquire_lock.name, 0, 0, acquire_lock.ttl, acquire_lock.max_hold,
    acquire_lock.fence, acquire_lock.run) as a;
end;
$$;

comment on function agentdb.acquire_lock (text, interval, interval, bigint, bigint) is
  'Takes a lock for the run, or says who holds it; fence => re-enters the run''s own; raises ZA001, ZA003, ZA004 or ZA005, never for a held lock.';
