-- Where a lock cannot simply be taken: new names, re-entry, denials, the cap.

-- A name that two sessions use for the first time at once: the second does not wait for
-- the first to commit for longer than a moment.
create or replace function agentdb._make_lock (
  name text,
  first_slot integer,
  last_slot integer
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_made bigint;
begin
  if not agentdb._is_clean_name(name, 200) then
    perform agentdb._refuse(
      format('%L is no name for a lock', agentdb._clean_text(name, 100)),
      'Use 1 to 200 visible characters on one line.'
    );
  elsif exists (
    select from agentdb.lock as l
    where l.lock_name = name and (l.slot = 0) <> (first_slot = 0)
  ) then
    perform agentdb._refuse(
      format('%s is the name of a %s', name,
        case when first_slot = 0 then 'semaphore' else 'lock' end),
      case when first_slot = 0 then 'Take it with acquire_slot, or use another name.'
        else 'Take it with acquire_lock, or use another name.' end
    );
  end if;
  perform set_config('lock_timeout', '100ms', true);
  insert into agentdb.lock (lock_name, slot, fence)
  select name, s.slot, coalesce(
    (select max(h.fence) from agentdb.lock_log as h where h.lock_name = name), 0)
  from generate_series(first_slot, last_slot) as s (slot)
  on conflict on constraint lock_pkey do nothing;
  get diagnostics v_made = row_count;
  return v_made;
exception when lock_not_available then
  return 0;
end;
$$;

comment on function agentdb._make_lock (text, integer, integer) is
  'Makes the rows that a name lacks and returns how many; raises ZA004 for an '
  'ill-formed name.';


create or replace function agentdb._reenter_lock (
  name text,
  given bigint,
  run_id bigint,
  out fence bigint,
  out expires_at timestamptz,
  out slot integer,
  out outcome text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.lock as l
  set depth = l.depth + 1
  where l.lock_name = name
    and l.fence = given
    and l.run_id = _reenter_lock.run_id
    and l.depth < 1000
    and agentdb._is_live(l.expires_at, l.renewed_at, clock_timestamp())
  returning l.fence, l.expires_at, l.slot, 'reentered'
    into _reenter_lock.fence, _reenter_lock.expires_at, _reenter_lock.slot,
      _reenter_lock.outcome;
end;
$$;

comment on function agentdb._reenter_lock (text, bigint, bigint) is
  'Enters a lock once more that the run holds under this fence, or returns NULL.';


-- A client that tries in a loop is counted once a second, and a row lasts a minute:
-- what is denied writes next to nothing, and never waits for another session.  It is
-- answered a little later, so that the holder has the processor to get done.
create or replace function agentdb._count_denial (
  name text,
  run_id bigint,
  agent_id bigint
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_first_at timestamptz;
  v_last_at timestamptz;
begin
  select d.first_at, d.last_at into v_first_at, v_last_at
  from agentdb.lock_denial as d
  where d.lock_name = name and d.run_id = _count_denial.run_id
  order by d.first_at desc
  limit 1;
  if v_last_at > v_now - interval '1 second' and v_last_at <= v_now then
    perform pg_sleep(0.01);
    return;
  elsif v_first_at > v_now - interval '1 minute' and v_first_at <= v_now
    and current_setting('transaction_isolation') = 'read committed' then
    perform from agentdb.lock_denial as d
    where d.lock_name = name and d.run_id = _count_denial.run_id
      and d.first_at = v_first_at
    for no key update skip locked;
    update agentdb.lock_denial as d
    set denials = d.denials + 1,
        last_at = v_now
    where found and d.lock_name = name and d.run_id = _count_denial.run_id
      and d.first_at = v_first_at;
  else
    insert into agentdb.lock_denial (lock_name, run_id, agent_id, first_at, last_at)
    values (name, _count_denial.run_id, _count_denial.agent_id, v_now, v_now)
    on conflict on constraint lock_denial_pkey do nothing;
  end if;
end;
$$;

comment on function agentdb._count_denial (text, bigint, bigint) is
  'Counts that a run was denied a lock, at most once a second.';


-- All rows of an agent count, free ones too: see _is_counted().  Near the cap its
-- sessions go one after another, and the rows that it left behind are parted from it.
create or replace function agentdb._check_locks (agent_id bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_max integer;
  v_held text[];
begin
  select p.max_locks into v_max
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.agent_id = _check_locks.agent_id;
  if v_max - 32 >= (
    select count(*) from agentdb.lock as l where l.agent_id = _check_locks.agent_id
  ) then
    return;
  end if;
  perform agentdb._forget_locks(_check_locks.agent_id);
  v_held := agentdb._held_locks(_check_locks.agent_id);
  if cardinality(v_held) > v_max - 32 then
    perform from agentdb.agent as a
    where a.agent_id = _check_locks.agent_id
    for no key update;
    v_held := agentdb._held_locks(_check_locks.agent_id);
  end if;
  if cardinality(v_held) > v_max then
    raise exception 'the agent holds % locks already', v_max
      using errcode = 'ZA005',
            detail = format('policy.max_locks is %s; held: %s', v_max,
              array_to_string(v_held[1:20], ', ')),
            hint = 'Release what is done with: select * from agentdb.release_lock('
              'name => …, fence => …);';
  end if;
end;
$$;

comment on function agentdb._check_locks (bigint) is
  'Raises ZA005 where an agent holds more locks than its policy allows.';


-- After _forget_locks these are the held ones, and those that a session of the agent is
-- about to take.
create or replace function agentdb._held_locks (agent_id bigint)
  returns text[]
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select l.lock_name
    from agentdb.lock as l
    where l.agent_id = _held_locks.agent_id
    order by l.acquired_at
  );
end;
$$;

comment on function agentdb._held_locks (bigint) is
  'The names of the locks that count against an agent''s cap.';


create or replace function agentdb._forget_locks (agent_id bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.lock as l
  set agent_id = null,
      run_id = null,
      outcome = case when l.run_id is not null then 'expired' end
  from (
    select f.lock_name, f.slot
    from agentdb.lock as f
    where f.agent_id = _forget_locks.agent_id
      and (f.run_id is null
        or not agentdb._is_live(f.expires_at, f.renewed_at, clock_timestamp()))
    for no key update skip locked
  ) as f
  where l.lock_name = f.lock_name and l.slot = f.slot;
end;
$$;

comment on function agentdb._forget_locks (bigint) is
  'Ends the expired locks of an agent and parts it from those it released.';
