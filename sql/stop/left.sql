-- What a kill does not reach, in words, so that nobody believes more of it.

create or replace function agentdb.left_after_kill (run bigint)
  returns table (said text)
  language sql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
  with killed as (
    select r.run_id, r.role_name, r.pooled, a.agent_name, p.kill_forbids_restart,
      p.unbound_writes, p.run_silence,
      exists (
        select from agentdb.agent_stop as s
        where s.agent_id = r.agent_id and s.kind = 'killed') as agent_killed
    from agentdb.run as r
    join agentdb.run_stop as k on k.run_id = r.run_id and k.kind = 'killed'
    join agentdb.agent as a on a.agent_id = r.agent_id
    join agentdb.policy as p on p.policy_name = a.policy_name
    where r.run_id = left_after_kill.run
  )
  select format('run %s of %s, which another process started, goes on', o.run_id,
    a.agent_name)
  from killed as k
  join agentdb.run as o
    on o.role_name = k.role_name and o.ended_at is null and not o.pooled
  join agentdb.agent as a on a.agent_id = o.agent_id
  where not k.pooled
  union all
  select format('session %s of role %s belongs to no run: it is refused until it '
    'starts or binds one', s.pid, k.role_name)
  from killed as k
  cross join lateral agentdb._role_sessions(k.role_name) as s
  where not k.pooled
    and not exists (
      select from agentdb.run_session as j
      where j.pid = s.pid
        and j.server_started_at = pg_postmaster_start_time()
        and agentdb._is_same_start(j.backend_started_at, s.began_at))
  union all
  -- Kept by no session, it is ended by none.
  select format('transaction %1$L of role %2$s is prepared and can still be committed: '
    'rollback prepared %1$L;', p.gid, p.owner)
  from killed as k
  join pg_prepared_xacts as p
    on p.owner = k.role_name and p.database = current_database()
  union all
  select format('what role %s writes without a token is refused for %s, and then '
    'recorded as nobody''s: policy.unbound_writes is record', k.role_name,
    agentdb._span(k.run_silence))
  from killed as k
  where k.pooled and k.unbound_writes = 'record'
  union all
  select format('agent %1$s may start another run; to forbid it: agentdb kill %1$s '
    '--reason …', k.agent_name)
  from killed as k
  where not k.agent_killed and not k.kill_forbids_restart;
$$;

comment on function agentdb.left_after_kill (bigint) is
  'What goes on after a run was killed, or may begin again, a sentence each.';
