-- What locks are made of: when one is live, what its next fence is, and who asks.

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
  'Tells whether a lock, or its cooling, still lasts at a moment; also after the '
  'clock was set back.';


-- Microseconds of the clock survive a restore to an earlier state, where a sequence
-- would count the same numbers again; the former fence survives a clock that is set
-- back.  The slots of a semaphore differ in the last three digits.  Not immutable: it
-- would not be inlined, at thrice the cost of all else that taking a lock does.
create or replace function agentdb._next_fence (
  former bigint,
  slot integer,
  at timestamptz
)
  returns bigint
  language sql
  stable
  parallel safe
  return case
    when slot = 0
      then greatest(former + 1, (date_part('epoch', at) * 1000000)::bigint)
    else greatest(former / 1000 + 1, (date_part('epoch', at) * 1000)::bigint) * 1000
      + slot - 1
  end;

comment on function agentdb._next_fence (bigint, integer, timestamptz) is
  'Returns a fence greater than the former one of the lock or slot.';


-- Months and days would stretch with the calendar, and could even end in the past.
create or replace function agentdb._exact_span (given interval)
  returns interval
  language sql
  immutable
  parallel safe
  return make_interval(secs => date_part('epoch', given));

comment on function agentdb._exact_span (interval) is
  'Returns a time in seconds that are the same on every day.';


-- NULL for a ttl of NULL.
create or replace function agentdb._is_span (
  ttl interval,
  max_hold interval,
  max_ttl interval
)
  returns boolean
  language sql
  immutable
  parallel safe
  return ttl > '0' and ttl <= max_ttl
    and (max_hold is null or max_hold > '0' and max_hold <= '1 year');

comment on function agentdb._is_span (interval, interval, interval) is
  'Tells whether a lock can have this ttl and max_hold.';


-- All rows that an agent had last count: it needs no check to take one of them again,
-- but now and then, should the policy have changed.
create or replace function agentdb._is_counted (fence bigint)
  returns boolean
  language sql
  immutable
  parallel safe
  return fence % 1000 = 0;

comment on function agentdb._is_counted (bigint) is
  'Whether whoever got a fence is checked against its cap: one in a thousand.';


create or replace function agentdb._refuse_ttl (ttl interval, max_ttl interval)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._refuse(
    format('ttl must be between 0 and %s, got %s',
      max_ttl, coalesce(ttl::text, 'NULL')),
    'Give the longest time that one step can take, for example ttl => ''15 min''; '
      'renew_lock prolongs it.  policy.lock_max_ttl is the maximum.'
  );
end;
$$;

comment on function agentdb._refuse_ttl (interval, interval) is
  'Raises ZA004 for a time that no lock can have.';


-- What taking or renewing a lock needs to know of a caller who is no common case.
create or replace function agentdb._lock_caller (
  run bigint,
  out run_id bigint,
  out agent_id bigint,
  out label text,
  out max_ttl interval,
  out needs_progress boolean
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  select r.run_id, r.agent_id, r.label, r.lock_max_ttl, r.renew_needs_progress
    into _lock_caller.run_id, _lock_caller.agent_id, _lock_caller.label,
      _lock_caller.max_ttl, _lock_caller.needs_progress
  from agentdb._current_run(_lock_caller.run) as c
  join agentdb.run as r on r.run_id = c.run_id;
end;
$$;

comment on function agentdb._lock_caller (bigint) is
  'Resolves the run that wants a lock, its agent and what their policy says of locks; '
  'raises ZA001 or ZA003.';


create or replace function agentdb._refuse_span (
  ttl interval,
  max_ttl interval,
  max_hold interval
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if ttl is null or ttl <= '0' or ttl > max_ttl then
    perform agentdb._refuse_ttl(ttl, max_ttl);
  end if;
  perform agentdb._refuse(
    format('max_hold must be between 0 and 1 year, got %s', max_hold),
    'Give the time after which renewals end, or leave it out.'
  );
end;
$$;

comment on function agentdb._refuse_span (interval, interval, interval) is
  'Raises ZA004 for a ttl or max_hold that no lock can have.';
