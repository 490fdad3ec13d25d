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
  perform agentdb._check_reason(reason);
  perform agentdb._note_stop();
  perform agentdb._stop_agent(v_agent_id, 'paused', pause_agent.reason);
  perform agentdb._log_stop(v_agent_id, null, 'pause', pause_agent.reason, null);
  insert into agentdb.run_stop (run_id, kind, reason)
  select r.run_id, 'paused', agentdb._clean_text(pause_agent.reason, 500)
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
  perform agentdb._check_reason(reason);
  perform agentdb._log_stop(v_agent_id, null, 'resume', resume_agent.reason, null);
  delete from agentdb.agent_stop as s where s.agent_id = v_agent_id;
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
