-- Ending sessions: those of a stopped run and, what a stop or a TTL cannot free, those
-- that leave a transaction open.

-- Those that started or bound the run; those that belong to no run as well, where no
-- other run of the role goes on.  One that is paused will go on.
create or replace function agentdb._sessions_of (run bigint)
  returns table (pid integer)
  language sql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select s.pid
  from agentdb.run as r
  cross join lateral agentdb._role_sessions(r.role_name) as s
  where r.run_id = _sessions_of.run
    -- A shared role's sessions are other agents' too.
    and not r.pooled
    and s.pid <> pg_backend_pid()
    and not exists (
      select from agentdb.run_session as j
      join agentdb.run as o on o.run_id = j.run_id and o.ended_at is null
      where j.pid = s.pid
        and j.server_started_at = pg_postmaster_start_time()
        and agentdb._is_same_start(j.backend_started_at, s.began_at)
        and not exists (
          select from agentdb.run_stop as t
          where t.run_id = o.run_id and t.kind = 'killed'))
    and (
      exists (
        select from agentdb.run_session as j
        where j.run_id = r.run_id
          and j.pid = s.pid
          and j.server_started_at = pg_postmaster_start_time()
          and agentdb._is_same_start(j.backend_started_at, s.began_at))
      or not exists (
        select from agentdb.run as o
        where o.role_name = r.role_name
          and o.ended_at is null
          and o.run_id <> r.run_id
          and not exists (
            select from agentdb.run_stop as t
            where t.run_id = o.run_id and t.kind = 'killed')));
$$;

comment on function agentdb._sessions_of (bigint) is
  'The sessions that can only be a stopped run''s.';


-- With the rights of the caller: who may not signal a session is told, and the kill
-- holds all the same.
create or replace function agentdb.end_sessions (run bigint)
  returns table (pid integer, ended boolean, problem text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  for pid in
    select s.pid from agentdb._sessions_of(end_sessions.run) as s
  loop
    begin
      ended := pg_terminate_backend(pid);
      problem := null;
    exception when insufficient_privilege then
      ended := false;
      problem := format('%s may not end sessions; grant pg_signal_backend to it',
        current_user);
    end;
    return next;
  end loop;
end;
$$;

comment on function agentdb.end_sessions (bigint) is
  'Ends the sessions that started or bound a stopped run and, where its role has no '
  'other open run, all others of the role, where the caller may; says what became of '
  'each.';


create or replace function agentdb._note_reaped (
  pid integer,
  role_name name,
  age interval
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._log_stop(
    (select a.agent_id from agentdb.agent as a
      where a.role_name = _note_reaped.role_name and not a.pooled),
    null, 'reap', format('its transaction was open for %s', agentdb._span(age)),
    jsonb_build_object('pid', pid, 'role', role_name));
end;
$$;

comment on function agentdb._note_reaped (integer, name, interval) is
  'Writes down that a session was ended because of its old transaction.';


-- A lock in a transaction that never ends cannot expire, and holds back the roll-up.
create or replace function agentdb.reap_transactions ()
  returns table (pid integer, role_name name, age interval, ended boolean, problem text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  for pid, role_name, age in
    select s.pid, s.usename, clock_timestamp() - s.xact_start
    from pg_stat_activity as s
    join (
      select a.role_name, max(p.max_transaction) as max_transaction
      from agentdb.agent as a
      join agentdb.policy as p on p.policy_name = a.policy_name
      group by a.role_name
    ) as a on a.role_name = s.usename
    where s.xact_start < clock_timestamp() - a.max_transaction
      -- In another database it holds back the roll-up only once it has written.
      and (s.datname = current_database() or s.backend_xid is not null)
  loop
    begin
      ended := pg_terminate_backend(pid);
      problem := null;
      perform agentdb._note_reaped(pid, role_name, age);
    exception when insufficient_privilege then
      ended := false;
      problem := format('%s may not end sessions; grant pg_signal_backend to it',
        current_user);
    end;
    return next;
  end loop;
end;
$$;

comment on function agentdb.reap_transactions () is
  'Ends sessions of agents whose transaction is older than policy.max_transaction, '
  'where the '
  'caller may see and signal them (pg_read_all_stats, pg_signal_backend).';
