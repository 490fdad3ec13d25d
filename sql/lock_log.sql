-- The end of every tenure is logged by a trigger, so that no function and no hand gets
-- around it.  A tenure that has not ended is the row of the lock itself.

create or replace function agentdb._record_tenure ()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome text := 'deleted';
  v_reason text;
begin
  if tg_op = 'UPDATE' then
    v_outcome := case
      when new.fence <> old.fence then 'taken_over'
      else coalesce(new.outcome, 'edited')
    end;
    v_reason := new.reason;
  end if;
  insert into agentdb.lock_log (
    lock_name, slot, fence, agent_id, run_id, acquired_at, expires_at, renewals,
    outcome, ended_by, reason
  )
  values (
    old.lock_name, old.slot, old.fence, old.agent_id, old.run_id, old.acquired_at,
    old.expires_at, old.renewals, v_outcome, session_user, v_reason
  );
  return null;
end;
$$;

comment on function agentdb._record_tenure () is
  'Trigger function: logs how a run came to hold a lock no longer.';


create or replace trigger agentdb_end_of_tenure
  after update
  on agentdb.lock
  for each row
  when (old.run_id is not null
    and (new.run_id is distinct from old.run_id or new.fence <> old.fence))
  execute function agentdb._record_tenure();

create or replace trigger agentdb_delete_of_tenure
  after delete
  on agentdb.lock
  for each row
  when (old.run_id is not null)
  execute function agentdb._record_tenure();


create or replace function agentdb._refuse_truncate ()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception '% of agentdb.% refused: it would end locks unlogged', tg_op, tg_table_name
    using errcode = 'ZA008',
          hint = 'Delete the rows instead, or release them: select * from '
            'agentdb.force_release_lock(name => …, reason => …);';
end;
$$;

comment on function agentdb._refuse_truncate () is
  'Trigger function: refuses what row triggers do not see.';


create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.lock
  for each statement execute function agentdb._refuse_truncate();


-- A run that is over holds nothing.  A row that somebody is changing is left to them: it
-- is being taken over or released, or expires.
create or replace function agentdb._release_locks (run_id bigint, agent_id bigint, outcome text)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_released bigint;
begin
  update agentdb.lock as l
  set run_id = null,
      outcome = _release_locks.outcome,
      expires_at = '-infinity'
  from (
    select h.lock_name, h.slot
    from agentdb.lock as h
    where h.agent_id = _release_locks.agent_id and h.run_id = _release_locks.run_id
    for no key update skip locked
  ) as h
  where l.lock_name = h.lock_name and l.slot = h.slot;
  get diagnostics v_released = row_count;
  return v_released;
end;
$$;

comment on function agentdb._release_locks (bigint, bigint, text) is
  'Frees all locks of a run that is over and returns how many.';


create or replace function agentdb.force_release_lock (
  name text,
  reason text,
  slot integer default null
)
  returns table (fence bigint, holder text, held_for interval, was text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  if reason is null or reason !~ '[^[:space:]]' then
    perform agentdb._refuse('a reason is required',
      'Say why the holder must lose the lock: it is kept in the log.');
  end if;
  return query
    update agentdb.lock as l
    set run_id = null,
        outcome = 'forced',
        reason = agentdb._clean_text(force_release_lock.reason, 1000),
        expires_at = '-infinity'
    from agentdb.lock_status as s
    where l.lock_name = force_release_lock.name
      and (force_release_lock.slot is null or l.slot = force_release_lock.slot)
      and s.lock_name = l.lock_name
      and s.slot = l.slot
      and s.state <> 'free'
    returning l.fence, s.holder, v_now - l.acquired_at, s.state;
  if not found and not exists (
    select from agentdb.lock as l where l.lock_name = force_release_lock.name
  ) then
    raise exception 'there is no lock %', coalesce(agentdb._clean_text(name, 200), 'NULL')
      using errcode = 'ZA006', hint = 'select * from agentdb.lock_status;';
  end if;
exception when lock_not_available then
  raise exception 'lock % is being changed in a transaction that is still open', name
    using errcode = 'ZA021',
          hint = 'End that session: select pid, usename, state, query, '
            'pg_terminate_backend(pid) from pg_stat_activity '
            'where pid = any (array(select unnest(pg_blocking_pids(pid)) from '
            'pg_stat_activity));';
end;
$$;

comment on function agentdb.force_release_lock (text, text, integer) is
  'Takes a lock, or one slot of a semaphore, from its holder; the reason is logged; raises ZA004, ZA006 or ZA021.';


-- Names are made up by agents: those that nobody used for a day go.  Their fences go on
-- from the log and from the clock.
create or replace function agentdb._prune_locks (keep interval)
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_count bigint;
begin
  delete from agentdb.lock as l
  where (l.lock_name, l.slot) in (
    select f.lock_name, f.slot
    from agentdb.lock as f
    where f.run_id is null
      and f.expires_at < v_now
      and f.acquired_at < v_now - interval '1 day'
    for update skip locked
  );
  get diagnostics v_count = row_count;
  if v_count > 0 then
    return query select 'forgot'::text, format('%s locks', v_count);
  end if;
  delete from agentdb.lock_denial as d where d.last_at < v_now - keep;
  delete from agentdb.lock_waiter as w where w.until_at < v_now - interval '1 hour';
end;
$$;

comment on function agentdb._prune_locks (interval) is
  'Forgets names that no run has used for a day, and denials past their retention.';
