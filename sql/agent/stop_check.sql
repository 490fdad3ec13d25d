-- Whether a run may still act.  A stop is a row of its own, run_stop, so that no lock
-- an agent holds on its run delays it.  Every write of an agent to an audited table
-- shares the gate of its run before it looks for a stop: who stops commits the row
-- first and then waits until nobody shares the gate: after that no write can commit.
-- Gates are rows that nobody updates.  FOR KEY SHARE on the run itself would do, but
-- PostgreSQL (15 and 18, measured) loses such a lock when it is taken while an update
-- moves the row to another page; FOR SHARE there would hold up who ends the run.

create or replace function agentdb._refuse_stopped (kind text, reason text, what text)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if kind = 'killed' then
    raise exception '% was killed: %', what, reason
      using errcode = 'ZA040',
            hint = 'Stop now: do nothing more for this work, do not retry and do not '
              'start another run.  An operator has decided, and decides what comes '
              'next.';
  end if;
  raise exception '% is paused: %', what, reason
    using errcode = 'ZA041',
          hint = 'Wait, and try the same call again in a minute; an operator resumes '
            'it.';
end;
$$;

comment on function agentdb._refuse_stopped (text, text, text) is
  'Raises ZA040 (killed) or ZA041 (paused).';


-- An older snapshot cannot see a later stop.  Sequences are read outside of snapshots:
-- they hold the transactions of the last stop, and of the last one before that is known
-- to have committed, in case the last rolls back.
create or replace function agentdb._check_snapshot ()
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_xid bigint;
begin
  for v_xid in
    select s.last_value from agentdb.stop_last_seq as s
    union all
    select s.last_value from agentdb.stop_former_seq as s
  loop
    if v_xid > 2
      and not pg_visible_in_snapshot(v_xid::text::xid8, pg_current_snapshot())
      and pg_xact_status(v_xid::text::xid8) <> 'aborted' then
      raise exception 'somebody stopped an agent after this transaction began'
        using errcode = '40001',
              hint = 'Roll back and try the transaction again: it may be this agent.';
    end if;
  end loop;
end;
$$;

comment on function agentdb._check_snapshot () is
  'Raises 40001 in a REPEATABLE READ or SERIALIZABLE transaction that is older than '
  'a stop.';


-- A run whose start was not committed yet when its agent was stopped has no stop of its
-- own: nobody could see it.
create or replace function agentdb._check_stop (run bigint, agent bigint)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kind text;
  v_reason text;
  v_what text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform agentdb._check_snapshot();
  end if;
  select s.kind, s.reason, s.what into v_kind, v_reason, v_what
  from (
    select r.kind, r.reason, 'run ' || r.run_id as what
    from agentdb.run_stop as r where r.run_id = run
    union all
    select a.kind, a.reason, 'the agent'
    from agentdb.agent_stop as a where a.agent_id = agent
  ) as s
  limit 1;
  if found then
    -- Whoever is paused is told to try again.
    if v_kind = 'killed' then
      perform agentdb._count_refusal('stop', agent);
    end if;
    perform agentdb._refuse_stopped(v_kind, v_reason, v_what);
  end if;
end;
$$;

comment on function agentdb._check_stop (bigint, bigint) is
  'Raises ZA040 or ZA041 for a run that was stopped, itself or with its agent, 40001 '
  'where the snapshot is too old to know.';


create or replace function agentdb._is_paused (run bigint, as_of timestamptz)
  returns boolean
  language sql
  stable
  return exists (
    select from agentdb.run_stop as s
    where s.run_id = run
      and s.stopped_at <= as_of
  );

comment on function agentdb._is_paused (bigint, timestamptz) is
  'Tells whether a run had been stopped by a moment.';


-- The run that ended last, among the latest; one that a kill has yet to end is later.
-- What emitters tell of comes second: it must not cover up that the agent's own run was
-- stopped.
create or replace function agentdb._last_run_of (agent bigint, told boolean)
  returns table (run_id bigint, started_at timestamptz)
  language sql
  stable
begin atomic
  select l.run_id, l.started_at
  from (
    (
      select r.run_id, r.started_at, r.ended_at
      from agentdb.run as r
      where not told and r.agent_id = agent and r.opened_by is null
      order by r.started_at desc
      limit 20
    )
    union all
    (
      select r.run_id, r.started_at, r.ended_at
      from agentdb.run as r
      where told and r.agent_id = agent
        and r.opened_by is not null and r.parent_run_id is null
      order by r.started_at desc
      limit 20
    )
  ) as l
  order by l.ended_at desc nulls first
  limit 1;
end;

comment on function agentdb._last_run_of (bigint, boolean) is
  'The run that an agent, or an emitter in its name, worked for last.';


-- Its plan is kept: it is asked at each write of an agent without a run.
create or replace function agentdb._last_run (agent bigint)
  returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select case
      when t.run_id is null
        or exists (select from agentdb.run_stop as s where s.run_id = o.run_id)
        or o.started_at >= t.started_at
        then o.run_id
      else t.run_id
    end
    from (select) as one
    left join agentdb._last_run_of(agent, false) as o on true
    left join agentdb._last_run_of(agent, true) as t on true
  );
end;
$$;

comment on function agentdb._last_run (bigint) is
  'The run that an agent worked for last, as far as its writes go by it.';


-- A killed run is told that it was, also where its role names no run.
create or replace function agentdb._check_last_run (role_name name)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._check_stop(agentdb._last_run(a.agent_id), a.agent_id)
  from agentdb.agent as a
  where a.role_name = _check_last_run.role_name and not a.pooled;
end;
$$;

comment on function agentdb._check_last_run (name) is
  'Raises ZA040 or ZA041 where the last run of a role was stopped.';


-- Without a run there is the agent: its writes stop with its last run, until it may
-- start another.
create or replace function agentdb._check_idle_agent (agent bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kind text;
  v_reason text;
  v_what text;
begin
  perform from agentdb.agent_gate as g where g.agent_id = agent for share;
  if current_setting('transaction_isolation') <> 'read committed' then
    perform agentdb._check_snapshot();
  end if;
  select s.kind, s.reason, format('agent %s', a.agent_name)
    into v_kind, v_reason, v_what
  from agentdb.agent_stop as s
  join agentdb.agent as a on a.agent_id = s.agent_id
  where s.agent_id = agent;
  if not found then
    select s.kind, s.reason, format('run %s', s.run_id) into v_kind, v_reason, v_what
    from agentdb.run_stop as s
    where s.run_id = agentdb._last_run(agent);
  end if;
  if v_kind is not null then
    if v_kind = 'killed' then
      perform agentdb._count_refusal('stop', agent);
    end if;
    perform agentdb._refuse_stopped(v_kind, v_reason, v_what);
  end if;
end;
$$;

comment on function agentdb._check_idle_agent (bigint) is
  'Raises ZA040 or ZA041 for a write outside any run of an agent that was stopped.';


create or replace function agentdb._check_write (run bigint, agent bigint)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  if run is not null then
    perform from agentdb.run_gate as g where g.run_id = run for share;
    perform agentdb._check_stop(run, agent);
  elsif agent is not null then
    perform agentdb._check_idle_agent(agent);
  end if;
end;
$$;

comment on function agentdb._check_write (bigint, bigint) is
  'Refuses a write of a stopped run, and holds a stop that comes now until it is '
  'committed; '
  'raises ZA040, ZA041 or 40001.';
