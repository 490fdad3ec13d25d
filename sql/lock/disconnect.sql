-- Locks that were taken with release_on_disconnect: their holder's sessions are proof
-- enough for whoever waits.

-- Asked only by who would be denied.  Behind a shared role sessions come and go: they
-- prove nothing.
create or replace function agentdb._end_gone_holders (
  name text,
  first_slot integer,
  last_slot integer
)
  returns boolean
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run bigint;
  v_ended_at timestamptz;
begin
  for v_run in
    select distinct l.run_id
    from agentdb.lock as l
    join agentdb.run as r on r.run_id = l.run_id
    where l.lock_name = name
      and l.slot between first_slot and last_slot
      and l.release_on_disconnect
      and r.ended_at is null
      and not r.pooled
      and agentdb._is_gone(r.run_id)
  loop
    select coalesce(e.ended_at, v_ended_at) into v_ended_at
    from agentdb._end_run(v_run, 'crashed', format(
      'its sessions are gone, seen by %s that wants lock %s', session_user, name)) as e;
  end loop;
  return v_ended_at is not null;
end;
$$;

comment on function agentdb._end_gone_holders (text, integer, integer) is
  'Ends the runs whose sessions are gone and that took the lock to be released then; '
  'tells whether there were any.';
