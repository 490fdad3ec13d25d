-- Semaphores: a name with several slots, each a lock with the same life and the same
-- log.

-- The number of slots is what the callers say, as long as they all say the same; it can
-- change while nobody holds one.
create or replace function agentdb._check_slots (name text, slots integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_slots bigint;
  v_live bigint;
begin
  if slots is null or slots not between 1 and 1000 then
    perform agentdb._refuse(
      format('slots must be between 1 and 1000, got %s', coalesce(slots::text, 'NULL')),
      'Say how many runs may hold it at the same time.'
    );
  end if;
  select count(*),
    count(*) filter (where agentdb._is_live(l.expires_at, l.renewed_at, v_now))
    into v_slots, v_live
  from agentdb.lock as l
  where l.lock_name = name and l.slot > 0;
  if v_slots = slots or v_slots = 0 then
    return;
  elsif v_live > 0 then
    perform agentdb._refuse(
      format('semaphore %s has %s slots, not %s', name, v_slots, slots),
      format('Say slots => %s, as the others do; it can be changed while no slot is '
        'held.', v_slots)
    );
  end if;
  delete from agentdb.lock as l
  where l.lock_name = name
    and l.slot > _check_slots.slots
    and not agentdb._is_live(l.expires_at, l.renewed_at, v_now);
  perform agentdb._make_lock(name, 1, slots);
end;
$$;

comment on function agentdb._check_slots (text, integer) is
  'Makes a semaphore have as many slots as a caller says, or raises ZA004.';


create or replace function agentdb.acquire_slot (
  out acquired boolean,
  out slot integer,
  name text,
  slots integer,
  ttl interval default '15 minutes',
  max_hold interval default null,
  inout fence bigint default null,
  run bigint default null,
  release_on_disconnect boolean default false,
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
begin
  perform agentdb._check_slots(name, slots);
  select a.acquired, a.slot, a.fence, a.expires_at, a.ttl_ms, a.holder, a.outcome
    into acquire_slot.acquired, acquire_slot.slot, acquire_slot.fence,
      acquire_slot.expires_at, acquire_slot.ttl_ms, acquire_slot.holder,
      acquire_slot.outcome
  from agentdb._acquire(
    acquire_slot.name, 1, acquire_slot.slots, acquire_slot.ttl, acquire_slot.max_hold,
    acquire_slot.fence, acquire_slot.run, acquire_slot.release_on_disconnect) as a;
end;
$$;

comment on function agentdb.acquire_slot (
  text, integer, interval, interval, bigint, bigint, boolean) is
  'Takes one of the slots of a semaphore for the run; renew_lock and release_lock '
  'work on it as on a lock; raises ZA001, ZA003, ZA004 or ZA005.';
