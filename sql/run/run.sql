-- Runs: one tick or session of an agent.  Every event belongs to a run.

create or replace function agentdb.start_run (
  agent text default null,
  conversation text default null,
  tick_interval interval default null,
  purpose text default null,
  secret text default null,
  instance text default null,
  spawn_token text default null,
  on_behalf_of text default null,
  tick_max interval default null
)
  returns table (
    run_id bigint, token text, conversation_name text, closed_runs jsonb
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent record;
  v_parent bigint;
begin
  perform agentdb._check_start(conversation, tick_interval, tick_max, instance);
  v_agent := agentdb._session_agent(start_run.agent, start_run.secret);
  perform agentdb._queue_start(v_agent.agent_id);
  v_parent := agentdb._use_spawn_token(start_run.spawn_token);
  -- Whoever stops the agent now waits for what this transaction goes on to write.
  perform from agentdb.agent_gate as g where g.agent_id = v_agent.agent_id for share;
  -- Gates first, as drain_run() has it.
  closed_runs := agentdb._close_former(v_agent.agent_id, instance);
  perform agentdb._check_open_runs(v_agent.agent_id, v_agent.policy_name);
  perform agentdb._check_restart(v_agent.agent_id, v_agent.pooled);
  token := agentdb._new_secret();
  select n.run_id, n.conversation_name
    into start_run.run_id, start_run.conversation_name
  from agentdb._add_run(v_agent.agent_id, v_agent.pooled, conversation,
    tick_interval, tick_max, purpose, instance, v_parent, start_run.token,
    on_behalf_of) as n;
  -- Behind a shared role the session is somebody else's next.
  if not v_agent.pooled then
    perform agentdb._join_run(start_run.run_id, 'started');
    perform set_config('agentdb.session_token', start_run.token, false);
    perform set_config('agentdb.session_run', start_run.run_id::text, false);
  end if;
  return next;
end;
$$;

comment on function agentdb.start_run (
  text, text, interval, text, text, text, text, text, interval) is
  'Opens a run for the session''s agent and returns its number, its token and the runs '
  'that it closed: those whose process is gone, and the one of the same instance; the '
  'session keeps the token, but behind a shared role; raises ZA001, ZA002, ZA004, '
  'ZA005, ZA040 or ZA041.';


-- The agent is told of its loop as people are: what it does next is up to it, unless
-- the rule's action blocks or kills the run.
create or replace function agentdb.check_run (run bigint default null)
  returns table (
    run_id bigint, looping text, since timestamptz, fences bigint[], advice text
  )
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return query
    select c.run_id, left(a.annotations ->> 'summary', 500), a.firing_at,
      array(
        select l.fence from agentdb.lock as l
        where l.agent_id = c.agent_id
          and l.run_id = c.run_id
          and l.expires_at > clock_timestamp()
      ),
      c.advice
    from agentdb._current_run(check_run.run) as c
    join agentdb.agent as g on g.agent_id = c.agent_id
    left join agentdb.alert as a
      on a.rule_name = 'silent_loop'
      and a.state = 'firing'
      and a.labels ->> 'agent' = g.agent_name
      and a.labels ->> 'run' = c.run_id::text
    limit 1;
end;
$$;

comment on function agentdb.check_run (bigint) is
  'Returns a run that may go on, what it repeats where people have been alerted to '
  'a loop, the fences of the locks that it has, and what it should know; raises '
  'ZA001, ZA003 (ended), ZA040 (killed) or ZA041 (paused), as every other call of the '
  'run would.';


create or replace function agentdb._check_open_runs (agent_id bigint, policy_name text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_max integer;
  v_open bigint[];
begin
  select p.max_open_runs into v_max
  from agentdb.policy as p where p.policy_name = _check_open_runs.policy_name;
  perform agentdb._abandon_runs(_check_open_runs.agent_id);
  select array_agg(r.run_id order by r.run_id) into v_open
  from agentdb.run as r
  where r.agent_id = _check_open_runs.agent_id
    and r.ended_at is null
    and r.opened_by is null;
  if cardinality(v_open) >= v_max then
    raise exception 'the agent has % open runs already', cardinality(v_open)
      using errcode = 'ZA005',
            detail = format('policy.max_open_runs is %s; open: %s', v_max,
              array_to_string(v_open[1:20], ', ')),
            hint = format('End what is finished: select * from agentdb.end_run('
              'outcome => ''cancelled'', run => %s);', v_open[1]);
  end if;
end;
$$;

comment on function agentdb._check_open_runs (bigint, text) is
  'Raises ZA005 where an agent has as many open runs as its policy allows.';


-- A run whose process died never ends itself.  Silence for policy.abandon_after ends
-- it, so that dead runs neither fill the cap nor page for ever.
create or replace function agentdb._abandon_runs (agent bigint)
  returns table (run_id bigint)
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select s.run_id
  from (
    select o.run_id, p.abandon_after
    from agentdb.run as o
    join agentdb.agent as a on a.agent_id = o.agent_id
    join agentdb.policy as p on p.policy_name = a.policy_name
    where o.ended_at is null
      and (_abandon_runs.agent is null or o.agent_id = _abandon_runs.agent)
      and o.started_at < clock_timestamp() - p.abandon_after
      and greatest(o.held_until_at, agentdb._last_event_at(o.run_id, o.started_at))
        < clock_timestamp() - p.abandon_after
      -- Whoever is paused cannot log anything.
      and not agentdb._is_paused(o.run_id, clock_timestamp())
    -- An agent that holds its run in an open transaction keeps nobody else waiting.
    for no key update of o skip locked
  ) as s
  cross join lateral agentdb._end_run(s.run_id, 'abandoned', format(
    'it logged nothing for %s (policy.abandon_after)', agentdb._span(s.abandon_after)
  )) as e
  where e.ended_at is not null;
$$;

comment on function agentdb._abandon_runs (bigint) is
  'Ends the open runs, of one agent or of all, that logged nothing for '
  'policy.abandon_after.';


create or replace function agentdb.end_run (
  outcome text default 'succeeded',
  summary text default null,
  run bigint default null
)
  returns table (run_id bigint, ended_at timestamptz)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  if outcome is null or outcome not in ('succeeded', 'failed', 'cancelled') then
    perform agentdb._refuse(
      format('%L is no outcome of a run', agentdb._clean_text(outcome, 50)),
      'Say succeeded, failed or cancelled.'
    );
  end if;
  select c.run_id into end_run.run_id from agentdb._current_run(end_run.run) as c;
  perform from agentdb.run as r where r.run_id = end_run.run_id for no key update;
  select e.ended_at into end_run.ended_at
  from agentdb._end_run(
    end_run.run_id, end_run.outcome, summary => end_run.summary) as e;
  if end_run.ended_at is null then
    perform agentdb._refuse_closed_run(end_run.run_id);
  end if;
  return next;
end;
$$;

comment on function agentdb.end_run (text, text, bigint) is
  'Ends the run with an outcome: succeeded, failed or cancelled; what it says is a '
  'claim; raises ZA001, ZA003 or ZA004.';
