-- Kill: ends a run, an agent, or all, for good.  kill_* marks; after its COMMIT
-- drain_run waits for writers in flight, and from then on nothing of the run commits to
-- an audited table.  It is two calls because a function cannot commit in between.

create or replace function agentdb._kill_run (
  run bigint,
  agent bigint,
  reason text,
  tree boolean,
  out locks_freed bigint,
  out reservations_cancelled bigint,
  out changes_withdrawn bigint
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_released jsonb;
begin
  insert into agentdb.run_stop as s (
    run_id, kind, reason, role_name, tree, stopped_by
  )
  select run, 'killed', agentdb._clean_text(reason, 500), r.role_name, _kill_run.tree,
    agentdb._said_by()
  from agentdb.run as r
  where r.run_id = run
  on conflict on constraint run_stop_pkey do update
  set kind = 'killed',
      reason = case s.kind when 'killed' then s.reason else excluded.reason end,
      stopped_at = case s.kind when 'killed' then s.stopped_at
        else excluded.stopped_at end,
      role_name = excluded.role_name,
      tree = s.tree or excluded.tree,
      drained_at = null;
  v_released := agentdb._end_killed(run);
  perform agentdb._end_alerts(run, agent);
  locks_freed := coalesce((v_released #>> '{locks,count}')::bigint, 0)
    + coalesce((v_released #>> '{slots,count}')::bigint, 0);
  reservations_cancelled := coalesce(
    (v_released #>> '{reservations,count}')::bigint, 0);
  changes_withdrawn := coalesce((v_released #>> '{changes,count}')::bigint, 0);
  perform agentdb._log_stop(agent, run, 'kill', reason, jsonb_build_object(
    'locks_freed', locks_freed, 'reservations_cancelled', reservations_cancelled,
    'changes_withdrawn', changes_withdrawn));
end;
$$;

comment on function agentdb._kill_run (bigint, bigint, text, boolean) is
  'Marks a run as killed, ends it and frees what it held.';


-- Those that a kill finds open; drain_run() finds those that began meanwhile.  They are
-- listed first and then killed: in one join PostgreSQL may kill before it has looked
-- whether a run is of the tree.
create or replace function agentdb._kill_tree (run bigint, reason text)
  returns table (
    run_id bigint, agent_name text, locks_freed bigint, reservations_cancelled bigint,
    changes_withdrawn bigint
  )
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with tree as materialized (
    select r.run_id, r.agent_id, a.agent_name
    from agentdb.run_tree(_kill_tree.run) as t
    join agentdb.run as r on r.run_id = t.run_id
    join agentdb.agent as a on a.agent_id = r.agent_id
    where r.ended_at is null or r.run_id = _kill_tree.run
  )
  select t.run_id, t.agent_name, k.locks_freed, k.reservations_cancelled,
    k.changes_withdrawn
  from tree as t
  cross join lateral agentdb._kill_run(
    t.run_id, t.agent_id, _kill_tree.reason, true) as k
  order by t.run_id;
$$;

comment on function agentdb._kill_tree (bigint, text) is
  'Kills a run and every open one that it, or they, started.';


create or replace function agentdb.kill_run (
  run bigint,
  reason text,
  tree boolean default true
)
  returns table (
    run_id bigint, agent_name text, locks_freed bigint, reservations_cancelled bigint,
    changes_withdrawn bigint
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._check_said(reason, 'reason');
  perform agentdb._check_kill(kill_run.run, kill_run.reason);
  perform agentdb._note_stop();
  if tree is not false then
    perform agentdb._void_spawn_tokens(kill_run.run);
    return query select * from agentdb._kill_tree(kill_run.run, kill_run.reason);
  else
    return query
      select r.run_id, a.agent_name, k.locks_freed, k.reservations_cancelled,
        k.changes_withdrawn
      from agentdb.run as r
      join agentdb.agent as a on a.agent_id = r.agent_id
      cross join lateral agentdb._kill_run(
        r.run_id, r.agent_id, kill_run.reason, false) as k
      where r.run_id = kill_run.run;
  end if;
end;
$$;

comment on function agentdb.kill_run (bigint, text, boolean) is
  'Kills an open run and, with tree => true, all that it started with a spawn token: '
  'commit, then call drain_run to be sure that nothing of it commits any more; killing '
  'again is harmless; raises ZA003, ZA004 or ZA006.';


create or replace function agentdb._check_kill (run bigint, reason text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent text;
  v_outcome text;
begin
  select a.agent_name, r.outcome into v_agent, v_outcome
  from agentdb.run as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  where r.run_id = run;
  if not found then
    raise exception 'there is no run %', coalesce(run::text, 'NULL')
      using errcode = 'ZA006',
            hint = 'select run_id, agent_name from agentdb.run_summary '
              'where state = ''running'';';
  elsif v_outcome <> 'killed' and not exists (
    select from agentdb.run_tree(run) as t
    join agentdb.run as r on r.run_id = t.run_id and r.ended_at is null
  ) then
    raise exception 'run % has ended', run
      using errcode = 'ZA003',
            detail = format('Its outcome is %s.', v_outcome),
            hint = format('What its agent does outside of any run ends with: '
              'select * from agentdb.kill_agent(%L, %L);', v_agent, reason);
  end if;
end;
$$;

comment on function agentdb._check_kill (bigint, text) is
  'Raises ZA003 or ZA006 where a run, and all that it started, cannot be killed.';


create or replace function agentdb._stop_agent (agent bigint, kind text, reason text)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.agent_stop as s (agent_id, kind, reason, stopped_by)
  values (agent, kind, agentdb._clean_text(reason, 500), agentdb._said_by())
  on conflict on constraint agent_stop_pkey do update
  set kind = excluded.kind,
      reason = excluded.reason,
      stopped_at = excluded.stopped_at,
      stopped_by = excluded.stopped_by
  where s.kind <> 'killed' or excluded.kind = 'killed';
$$;

comment on function agentdb._stop_agent (bigint, text, text) is
  'Keeps an agent from starting runs; a kill is not softened to a pause.';


create or replace function agentdb.kill_agent (agent text, reason text)
  returns table (
    run_id bigint, agent_name text, locks_freed bigint, reservations_cancelled bigint,
    changes_withdrawn bigint
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint := agentdb._agent_of(agent);
begin
  perform agentdb._check_said(reason, 'reason');
  perform agentdb._note_stop();
  perform agentdb._stop_agent(v_agent_id, 'killed', kill_agent.reason);
  perform agentdb._end_alerts(null, v_agent_id);
  perform agentdb._log_stop(v_agent_id, null, 'kill', kill_agent.reason, null);
  perform agentdb._void_spawn_tokens(o.run_id)
  from agentdb.run as o where o.agent_id = v_agent_id and o.ended_at is null;
  return query
    with open_run as materialized (
      select distinct r.run_id, r.agent_id, a.agent_name
      from agentdb.run as o
      cross join lateral agentdb.run_tree(o.run_id) as t
      join agentdb.run as r on r.run_id = t.run_id and r.ended_at is null
      join agentdb.agent as a on a.agent_id = r.agent_id
      where o.agent_id = v_agent_id and o.ended_at is null
    )
    select o.run_id, o.agent_name, k.locks_freed, k.reservations_cancelled,
      k.changes_withdrawn
    from open_run as o
    cross join lateral agentdb._kill_run(
      o.run_id, o.agent_id, kill_agent.reason, true) as k;
  -- What its earlier runs proposed goes too.
  perform agentdb._withdraw_changes(v_agent_id);
end;
$$;

comment on function agentdb.kill_agent (text, text) is
  'Kills all open runs of an agent, with those that they started, and lets the agent '
  'start none until resume_agent; '
  'commit, then drain_run each and drain_agent; raises ZA004 or ZA006.';


create or replace function agentdb.kill_all (reason text)
  returns table (
    run_id bigint, agent_name text, locks_freed bigint, reservations_cancelled bigint,
    changes_withdrawn bigint
  )
  language sql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
  select k.run_id, k.agent_name, k.locks_freed, k.reservations_cancelled,
    k.changes_withdrawn
  from agentdb.agent as a
  cross join lateral agentdb.kill_agent(a.agent_name, kill_all.reason) as k;
$$;

comment on function agentdb.kill_all (text) is
  'Kills every agent: commit, then drain_run each run and drain_agent; raises ZA004.';
