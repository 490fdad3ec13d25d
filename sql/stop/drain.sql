-- After a stop: waiting for writers in flight, ending sessions, and what a stop or a
-- TTL cannot free, a transaction that an agent leaves open.

create or replace function agentdb._be_patient (patience interval)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if patience is null or patience not between '0' and '1 hour' then
    perform agentdb._refuse(
      format('patience must be between 0 and 1 hour, got %s', patience),
      'Leave it out to wait 10 seconds.'
    );
  end if;
  perform set_config('lock_timeout',
    greatest(1, (extract(epoch from patience) * 1000)::integer)::text, true);
end;
$$;

comment on function agentdb._be_patient (interval) is
  'Sets for how long a lock is waited for; raises ZA004.';


-- FOR UPDATE waits for every writer that passed the gate before the stop was committed;
-- none passes after.
create or replace function agentdb.drain_run (
  run bigint,
  patience interval default '10 seconds'
)
  returns table (run_id bigint, drained boolean)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  run_id := run;
  perform agentdb._be_patient(patience);
  begin
    perform from agentdb.run_gate as g where g.run_id = run for update;
    -- Writes of no run went by the gate of their agent.
    perform from agentdb.agent_gate as g
    where g.agent_id = (select r.agent_id from agentdb.run as r where r.run_id = run)
    for update;
    -- The kill left a row alone that the run itself was changing.
    perform from agentdb.run as r where r.run_id = run for no key update;
    drained := true;
    -- And what a transaction held that has ended now.
    perform agentdb._end_killed(run);
    update agentdb.run_stop as s
    set drained_at = clock_timestamp()
    where s.run_id = run;
  exception when lock_not_available or deadlock_detected then
    drained := false;
  end;
  return next;
end;
$$;

comment on function agentdb.drain_run (bigint, interval) is
  'Waits until no writer of a stopped run is in flight: drained true, and nothing '
  'of it '
  'commits to an audited table any more; false when its transactions outlast the '
  'patience; '
  'raises ZA004.';


-- What an agent wrote in no run, or in one that it was about to start, has no run to be
-- waited for.
create or replace function agentdb.drain_agent (
  agent text default null,
  patience interval default '10 seconds'
)
  returns table (agent_name text, drained boolean)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
declare
  v_agent_id bigint;
begin
  perform agentdb._be_patient(patience);
  for v_agent_id, agent_name in
    select a.agent_id, a.agent_name
    from agentdb.agent as a
    join agentdb.agent_stop as s on s.agent_id = a.agent_id
    where drain_agent.agent is null or a.agent_name = drain_agent.agent
    order by a.agent_id
  loop
    begin
      perform from agentdb.agent_gate as g where g.agent_id = v_agent_id for update;
      drained := true;
    exception when lock_not_available or deadlock_detected then
      drained := false;
    end;
    return next;
  end loop;
end;
$$;

comment on function agentdb.drain_agent (text, interval) is
  'Waits until a stopped agent, or each, has no writer outside its runs in flight: '
  'drained true, and nothing of it commits to an audited table any more; raises ZA004.';


-- With the rights of the caller: who may not signal a session is told, and the kill
-- holds all the same.
create or replace function agentdb.end_sessions (run bigint)
  returns table (pid integer, ended boolean, problem text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  for pid in
    select s.pid
    from agentdb.run as r
    join pg_stat_activity as s
      on s.usename = r.role_name
      and s.datname = current_database()
      and s.pid <> pg_backend_pid()
    where r.run_id = end_sessions.run
      -- A shared role's sessions are other agents' too.
      and not r.pooled
      and not exists (
        select from agentdb.run as o
        where o.role_name = r.role_name
          and o.ended_at is null
          and o.run_id <> r.run_id
          and not exists (select from agentdb.run_stop as t where t.run_id = o.run_id)
      )
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
  'Ends the sessions of a stopped run''s login role, where they are its alone and '
  'the caller '
  'may; says what became of each.';


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


create or replace function agentdb.drain_stopped ()
  returns table (run_id bigint, drained boolean)
  language sql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select d.run_id, d.drained
  from agentdb.run_stop as s
  cross join lateral agentdb.drain_run(s.run_id, '100 milliseconds') as d
  where s.kind = 'killed'
    and s.drained_at is null;
$$;

comment on function agentdb.drain_stopped () is
  'Drains killed runs that nobody has drained yet; the runner calls it after a rule '
  'killed.';
