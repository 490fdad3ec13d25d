-- Whether the commit of a batch of events waits until it is on disk
-- (policy.events_wait_for_disk).  Where it does not, a crash of the server loses those
-- of the last moment (three times wal_writer_delay, 0.6 s), and what their transactions
-- wrote after them.

-- Of a transaction that has written something else the commit stays as it is asked for.
create or replace function agentdb._commit_lightly (agents bigint[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_current_xact_id_if_assigned() is null and (
    select bool_and(not p.events_wait_for_disk)
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    where a.agent_id = any (agents)
  ) then
    perform set_config('synchronous_commit', 'off', true);
  end if;
end;
$$;

comment on function agentdb._commit_lightly (bigint[]) is
  'Lets a transaction of events alone commit without waiting for the disk, where the '
  'policies of their agents say so.';
