-- The end of every tenure is logged by a trigger, so that no function and no hand gets
-- around it.  A tenure that has not ended is the row of the lock itself.

create or replace function agentdb._log_tenure (
  lock agentdb.lock,
  outcome text,
  reason text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into agentdb.lock_log (
    lock_name, slot, fence, agent_id, run_id, acquired_at, expires_at, renewals,
    outcome, ended_by, reason
  )
  values (
    lock.lock_name, lock.slot, lock.fence, lock.agent_id, lock.run_id,
    lock.acquired_at, lock.expires_at, lock.renewals, outcome, agentdb._said_by(),
    reason
  );
end;
$$;

comment on function agentdb._log_tenure (agentdb.lock, text, text) is
  'Logs that a lock as it was is held no longer.';


-- Who lets go of a lock says how: a hand that does not has edited the row.
create or replace function agentdb._record_tenure ()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if new.run_id is null and new.outcome <> old.outcome then
    -- As _log_tenure() does, which every release would have to call.
    insert into agentdb.lock_log (
      lock_name, slot, fence, agent_id, run_id, acquired_at, expires_at, renewals,
      outcome, ended_by, reason
    )
    values (
      old.lock_name, old.slot, old.fence, old.agent_id, old.run_id, old.acquired_at,
      old.expires_at, old.renewals, new.outcome, agentdb._said_by(), new.reason
    );
  elsif new.run_id is not null and new.fence <> old.fence then
    perform agentdb._log_tenure(old, 'taken_over', null);
  elsif new.run_id is distinct from old.run_id then
    perform agentdb._log_tenure(old, 'edited', new.reason);
  end if;
  return null;
end;
$$;

comment on function agentdb._record_tenure () is
  'Trigger function: logs how a run came to hold a lock no longer.';


create or replace function agentdb._record_deletion ()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._log_tenure(old, 'deleted', null);
  return null;
end;
$$;

comment on function agentdb._record_deletion () is
  'Trigger function: logs that a lock that was held is no more.';


-- PostgreSQL reads a WHEN anew at each statement: a longer one costs more.
create or replace trigger agentdb_end_of_tenure
  after update of run_id, fence
  on agentdb.lock
  for each row
  when (old.run_id is not null)
  execute function agentdb._record_tenure();

create or replace trigger agentdb_delete_of_tenure
  after delete
  on agentdb.lock
  for each row
  when (old.run_id is not null)
  execute function agentdb._record_deletion();


create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.lock_log
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.lock_log
  for each statement execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.lock_log_default
  for each statement execute function agentdb._refuse_rewrite();


create or replace function agentdb._refuse_truncate ()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception '% of agentdb.% refused: it would end locks unlogged',
      tg_op, tg_table_name
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


-- A run that is over holds nothing, but a crashed one what it did not say to release on
-- disconnect, until its time is up.  A row that somebody is changing is left to
-- them: it is being taken over or released, or expires.
create or replace function agentdb._release_locks (
  run_id bigint,
  agent_id bigint,
  outcome text
)
  returns table (lock_name text, slot integer)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    update agentdb.lock as l
    set run_id = null,
        outcome = _release_locks.outcome,
        expires_at = '-infinity'
    from (
      select h.lock_name, h.slot
      from agentdb.lock as h
      where h.agent_id = _release_locks.agent_id
        and h.run_id = _release_locks.run_id
        and (_release_locks.outcome <> 'crashed' or h.release_on_disconnect
          or h.expires_at <= clock_timestamp())
      for no key update skip locked
    ) as h
    where l.lock_name = h.lock_name and l.slot = h.slot
    returning l.lock_name, l.slot;
end;
$$;

comment on function agentdb._release_locks (bigint, bigint, text) is
  'Frees the locks of a run that is over and returns which.';


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
