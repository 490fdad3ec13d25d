-- Kill: ends a run, an agent, or all, for good.  kill_* marks; after its COMMIT
-- drain_run waits for writers in flight, and from then on nothing of the run commits to
-- an audited table.  It is two calls because a function cannot commit in between.

create or replace function agentdb._kill_run (
  run bigint,
  agent bigint,
  reason text,
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
  insert into agentdb.run_stop as s (run_id, kind, reason)
  values (run, 'killed', agentdb._clean_text(reason, 500))
  on conflict on constraint run_stop_pkey do update
  set kind = 'killed',
      reason = case s.kind when 'killed' then s.reason else excluded.reason end,
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

comment on function agentdb._kill_run (bigint, bigint, text) is
  'Marks a run as killed, ends it and frees what it held.';


create or replace function agentdb.kill_run (run bigint, reason text)
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
  v_agent_id bigint;
  v_outcome text;
begin
  perform agentdb._check_said(reason, 'reason');
  select r.run_id, r.agent_id, a.agent_name, r.outcome
    into kill_run.run_id, v_agent_id, kill_run.agent_name, v_outcome
  from agentdb.run as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  where r.run_id = kill_run.run;
  if not found then
    raise exception 'there is no run %', coalesce(run::text, 'NULL')
      using errcode = 'ZA006',
            hint = 'select run_id, agent_name from agentdb.run_summary '
              'where state = ''running'';';
  elsif v_outcome <> 'killed' then
    raise exception 'run % has ended', run
      using errcode = 'ZA003',
            detail = format('It %s by itself.', v_outcome),
            hint = format('What its agent does outside of any run ends with: '
              'select * from agentdb.kill_agent(%L, %L);', agent_name, reason);
  end if;
  perform agentdb._note_stop();
  select k.locks_freed, k.reservations_cancelled, k.changes_withdrawn
    into kill_run.locks_freed, kill_run.reservations_cancelled,
      kill_run.changes_withdrawn
  from agentdb._kill_run(kill_run.run, v_agent_id, kill_run.reason) as k;
  return next;
end;
$$;

comment on function agentdb.kill_run (bigint, text) is
  'Kills an open run: commit, then call drain_run to be sure that nothing of it '
  'commits any '
  'more; killing again is harmless; raises ZA003, ZA004 or ZA006.';


create or replace function agentdb._stop_agent (agent bigint, kind text, reason text)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.agent_stop as s (agent_id, kind, reason)
  values (agent, kind, agentdb._clean_text(reason, 500))
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
  return query
    select r.run_id, kill_agent.agent, k.locks_freed, k.reservations_cancelled,
      k.changes_withdrawn
    from agentdb.run as r
    cross join lateral agentdb._kill_run(r.run_id, v_agent_id, kill_agent.reason) as k
    where r.agent_id = v_agent_id
      and r.ended_at is null;
  -- What its earlier runs proposed goes too.
  perform agentdb._withdraw_changes(v_agent_id, null);
end;
$$;

comment on function agentdb.kill_agent (text, text) is
  'Kills all open runs of an agent and lets it start none until resume_agent; '
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
