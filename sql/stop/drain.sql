-- After a stop: waiting for writers in flight.

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
-- none passes after.  The gates of other runs that its sessions had opened, too: a
-- write may have passed there just before.  In the order of start_run(), gates of runs,
-- of the agent, the run, so that they do not meet; nor do two drains.
create or replace function agentdb._wait_for_gates (run bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform from agentdb.run_gate as g
  where g.run_id = any (array(
    select run
    union
    select o.run_id
    from agentdb.run_session as s
    join agentdb.run_session as o
      on (o.pid, o.backend_started_at, o.server_started_at)
        = (s.pid, s.backend_started_at, s.server_started_at)
    where s.run_id = run))
  order by g.run_id
  for update;
  -- Writes of no run went by the gate of their agent.
  perform from agentdb.agent_gate as g
  where g.agent_id = (select r.agent_id from agentdb.run as r where r.run_id = run)
  for update;
  -- The kill left a row alone that the run itself was changing.
  perform from agentdb.run as r where r.run_id = run for no key update;
end;
$$;

comment on function agentdb._wait_for_gates (bigint) is
  'Waits for the transactions of a run that may have written before its stop.';


create or replace function agentdb._drain_one (run bigint)
  returns boolean
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._wait_for_starts(run);
  perform agentdb._wait_for_gates(run);
  -- Where it was killed; and what a transaction held that has ended now.
  perform agentdb._end_killed(s.run_id)
  from agentdb.run_stop as s where s.run_id = run and s.kind = 'killed';
  update agentdb.run_stop as s
  set drained_at = clock_timestamp()
  where s.run_id = run;
  return true;
exception when lock_not_available or deadlock_detected then
  return false;
end;
$$;

comment on function agentdb._drain_one (bigint) is
  'Waits until no writer of a stopped run is in flight; false where that takes too '
  'long.';


create or replace function agentdb._check_stopped (run bigint)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select from agentdb.run_stop as s where s.run_id = run
    union all
    select from agentdb.run as r
    join agentdb.agent_stop as s on s.agent_id = r.agent_id
    where r.run_id = run
  ) then
    raise exception 'run % is not stopped', coalesce(run::text, 'NULL')
      using errcode = 'ZA006',
            hint = 'Only what was stopped comes to an end: kill_run() first, and '
              'commit.';
  end if;
end;
$$;

comment on function agentdb._check_stopped (bigint) is
  'Raises ZA006 for a run whose writers go on.';


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
declare
  v_done bigint[] := '{}';
  v_left bigint[] := array[run];
begin
  perform agentdb._be_patient(patience);
  perform agentdb._check_stopped(run);
  while v_left <> '{}' loop
    foreach run_id in array v_left loop
      drained := agentdb._drain_one(run_id);
      return next;
    end loop;
    v_done := v_done || v_left;
    v_left := '{}';
    if (select s.tree from agentdb.run_stop as s
        where s.run_id = drain_run.run and s.kind = 'killed') then
      v_left := array(
        select l from agentdb._kill_late(drain_run.run) as l where l <> all (v_done));
    end if;
  end loop;
end;
$$;

comment on function agentdb.drain_run (bigint, interval) is
  'Waits until no writer of a stopped run, or of those that were killed with it, is in '
  'flight, a row a run: drained true, and nothing of it commits to an audited table '
  'any more; false when its transactions outlast the patience; raises ZA004 or ZA006.';


-- Behind a shared role nobody knows whose it is: there the gates tell.
create or replace function agentdb._has_prepared (agent_id bigint)
  returns boolean
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select
    from agentdb.agent as a
    join pg_prepared_xacts as p
      on p.owner = a.role_name and p.database = current_database()
    where a.agent_id = _has_prepared.agent_id and not a.pooled);
$$;

comment on function agentdb._has_prepared (bigint) is
  'Whether the role of an agent has a transaction that is prepared: it may be '
  'committed at any time, and no session of it can be ended.';


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
      drained := not agentdb._has_prepared(v_agent_id);
    exception when lock_not_available or deadlock_detected then
      drained := false;
    end;
    return next;
  end loop;
end;
$$;

comment on function agentdb.drain_agent (text, interval) is
  'Waits until a stopped agent, or each, has no writer outside its runs in flight: '
  'drained true, and nothing of it commits to an audited table any more; false also '
  'while its role has a transaction prepared; raises ZA004.';


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
