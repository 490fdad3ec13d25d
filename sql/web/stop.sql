-- Stops, as people of the page command them.

create or replace function agentdb.kill_run_for (
  person text,
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
  perform agentdb._act_for(person, 'agentdb.kill_run(bigint, text, boolean)',
    jsonb_build_object('run', run, 'reason', reason, 'tree', tree));
  return query select * from agentdb.kill_run(run, reason, tree);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.kill_run_for (text, bigint, text, boolean) is
  'kill_run() for a person of the page, as its role may; raises what that raises, and '
  '42501.';


create or replace function agentdb.kill_agent_for (person text, agent text, reason text)
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
  perform agentdb._act_for(person, 'agentdb.kill_agent(text, text)',
    jsonb_build_object('agent', agent, 'reason', reason));
  return query select * from agentdb.kill_agent(agent, reason);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.kill_agent_for (text, text, text) is
  'kill_agent() for a person of the page, as its role may; raises what that raises, '
  'and 42501.';


create or replace function agentdb.pause_agent_for (
  person text,
  agent text,
  reason text
)
  returns table (agent_name text, runs_paused bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.pause_agent(text, text)',
    jsonb_build_object('agent', agent, 'reason', reason));
  return query select * from agentdb.pause_agent(agent, reason);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.pause_agent_for (text, text, text) is
  'pause_agent() for a person of the page, as its role may; raises what that raises, '
  'and 42501.';


create or replace function agentdb.resume_agent_for (
  person text,
  agent text,
  reason text
)
  returns table (agent_name text, runs_resumed bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.resume_agent(text, text)',
    jsonb_build_object('agent', agent, 'reason', reason));
  return query select * from agentdb.resume_agent(agent, reason);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.resume_agent_for (text, text, text) is
  'resume_agent() for a person of the page, as its role may; raises what that raises, '
  'and 42501.';
