-- Pause: an agent waits until an operator resumes it.

create or replace function agentdb.pause_agent (agent text, reason text)
  returns table (agent_name text, runs_paused bigint)
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
  perform agentdb._stop_agent(v_agent_id, 'paused', pause_agent.reason);
  perform agentdb._log_stop(v_agent_id, null, 'pause', pause_agent.reason, null);
  insert into agentdb.run_stop (run_id, kind, reason, stopped_by)
  select r.run_id, 'paused', agentdb._clean_text(pause_agent.reason, 500),
    agentdb._said_by()
  from agentdb.run as r
  where r.agent_id = v_agent_id
    and r.ended_at is null
  on conflict on constraint run_stop_pkey do nothing;
  get diagnostics runs_paused = row_count;
  agent_name := agent;
  return next;
end;
$$;

comment on function agentdb.pause_agent (text, text) is
  'Refuses every call and every audited write of an agent until resume_agent; '
  'raises ZA004 or '
  'ZA006.';


-- A pause excuses as a hold does that ends now: neither that nothing was reached nor
-- that no tick came since is the agent's fault.
create or replace function agentdb._end_pause (agent bigint)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update agentdb.run as r
  set held_until_at = clock_timestamp(),
      hold_reason = 'it was stopped'
  where r.run_id in (
    select o.run_id
    from agentdb.run as o
    where o.agent_id = agent
      and (o.ended_at is null or o.run_id = agentdb._last_run(agent))
      and coalesce(o.held_until_at < clock_timestamp(), true)
    for no key update skip locked
  );
$$;

comment on function agentdb._end_pause (bigint) is
  'Makes the open runs of an agent, and its last one, count from now on again.';


create or replace function agentdb.resume_agent (agent text, reason text)
  returns table (agent_name text, runs_resumed bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint := agentdb._agent_of(agent);
begin
  perform agentdb._check_said(reason, 'reason');
  perform agentdb._log_stop(v_agent_id, null, 'resume', resume_agent.reason, null);
  delete from agentdb.agent_stop as s where s.agent_id = v_agent_id;
  if found then
    perform agentdb._end_pause(v_agent_id);
  end if;
  delete from agentdb.run_stop as s
  using agentdb.run as r
  where r.run_id = s.run_id
    and r.agent_id = v_agent_id
    and s.kind = 'paused';
  get diagnostics runs_resumed = row_count;
  agent_name := agent;
  return next;
end;
$$;

comment on function agentdb.resume_agent (text, text) is
  'Lets an agent go on that was paused, or start again that was killed; killed runs '
  'stay '
  'dead; raises ZA004 or ZA006.';
