-- What an operator does when a lock must not wait for its end.

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
  perform agentdb._check_said(reason, 'reason');
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
    raise exception 'there is no lock %',
        coalesce(agentdb._clean_text(name, 200), 'NULL')
      using errcode = 'ZA006', hint = 'select * from agentdb.lock_status;';
  end if;
exception when lock_not_available then
  raise exception 'lock % is being changed in a transaction that is still open', name
    using errcode = 'ZA021',
          hint = format('End that session: select k.pid, pg_terminate_backend(k.pid) '
            'from agentdb.lock as l join pg_locks as k on k.transactionid = l.xmax '
            'where l.lock_name = %L and k.granted;', name);
end;
$$;

comment on function agentdb.force_release_lock (text, text, integer) is
  'Takes a lock, or one slot of a semaphore, from its holder; the reason is logged; '
  'raises ZA004, ZA006 or ZA021.';
