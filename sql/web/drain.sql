-- After a stop: waiting for writers in flight, and ending sessions.

create or replace function agentdb.drain_run_for (
  person text,
  run bigint,
  patience interval default '3 seconds'
)
  returns table (run_id bigint, drained boolean)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.drain_run(bigint, interval)',
    jsonb_build_object('run', run, 'patience', patience::text));
  return query select * from agentdb.drain_run(run, patience);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.drain_run_for (text, bigint, interval) is
  'drain_run() for a person of the page, as its role may; raises what that raises, '
  'and 42501.';


create or replace function agentdb.drain_agent_for (
  person text,
  agent text,
  patience interval default '3 seconds'
)
  returns table (agent_name text, drained boolean)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.drain_agent(text, interval)',
    jsonb_build_object('agent', agent, 'patience', patience::text));
  return query select * from agentdb.drain_agent(agent, patience);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.drain_agent_for (text, text, interval) is
  'drain_agent() for a person of the page, as its role may; raises what that raises, '
  'and 42501.';


create or replace function agentdb.left_after_kill_for (person text, run bigint)
  returns table (said text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.left_after_kill(bigint)',
    jsonb_build_object('run', run));
  return query select * from agentdb.left_after_kill(run);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.left_after_kill_for (text, bigint) is
  'left_after_kill() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb._sessions_for (person text, run bigint)
  returns setof integer
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._act_for(person, 'agentdb.end_sessions(bigint)',
    jsonb_build_object('run', run));
  perform agentdb._check_stopped(run);
  return query select s.pid from agentdb._sessions_of(run) as s;
  perform agentdb._end_act();
end;
$$;

comment on function agentdb._sessions_for (text, bigint) is
  'The sessions that a person of the page may have ended; raises ZA006 or 42501.';


-- With the rights of agentdb serve: the signal is its own.
create or replace function agentdb.end_sessions_for (person text, run bigint)
  returns table (pid integer, ended boolean, problem text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  for pid in
    select s from agentdb._sessions_for(person, run) as s
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

comment on function agentdb.end_sessions_for (text, bigint) is
  'end_sessions() of a stopped run for a person of the page, where agentdb serve may '
  'end them; raises ZA006 or 42501.';
