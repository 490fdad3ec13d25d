-- Runs: one tick or session of an agent.  Every event belongs to a run.

create or replace function agentdb.start_run (
  agent text default null,
  conversation text default null,
  tick_interval interval default null,
  purpose text default null,
  secret text default null
)
  returns table (run_id bigint, token text, conversation_name text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint;
  v_pooled boolean;
  v_policy_name text;
  v_last_stop bigint;
begin
  if conversation is not null and not agentdb._is_clean_name(conversation, 200) then
    perform agentdb._refuse(
      format('%L is no name for a conversation',
        agentdb._clean_text(conversation, 100)),
      'Use 1 to 200 visible characters on one line, or leave it out.'
    );
  elsif tick_interval <= '0' or tick_interval > '1 year' then
    perform agentdb._refuse(
      format('tick_interval must be between 0 and 1 year, got %s', tick_interval),
      'Give the time from one start to the next, such as tick_interval => ''15 min''.'
    );
  end if;
  select s.agent_id, s.pooled, s.policy_name into v_agent_id, v_pooled, v_policy_name
  from agentdb._session_agent(start_run.agent, start_run.secret) as s;
  perform agentdb._check_open_runs(v_agent_id, v_policy_name);
  -- Whoever stops the agent now waits for what this transaction goes on to write.
  perform from agentdb.agent_gate as g where g.agent_id = v_agent_id for share;
  v_last_stop := agentdb._last_stop();
  perform agentdb._check_stop(null, v_agent_id);
  start_run.run_id := nextval('agentdb.run_run_id_seq');
  -- A run without a conversation is one of its own.
  conversation_name := coalesce(conversation, format('run-%s', start_run.run_id));
  insert into agentdb.run (
    run_id, agent_id, role_name, pooled, conversation, purpose, tick_interval,
    stop_seen, label, lock_max_ttl, renew_needs_progress
  )
  overriding system value
  select
    start_run.run_id, v_agent_id, session_user, v_pooled, conversation_name,
    agentdb._clean_text(start_run.purpose, 500), start_run.tick_interval,
    agentdb._stop_seen(v_last_stop, v_pooled),
    agentdb._run_label(start_run.run_id, p.agent_name), p.max_ttl, p.needs_progress
  from agentdb._lock_limit(v_agent_id) as p;
  token := agentdb._new_secret();
  insert into agentdb.run_token (token_hash, run_id)
  values (agentdb._hash_secret(start_run.token), start_run.run_id);
  insert into agentdb.run_gate (run_id) values (start_run.run_id);
  return next;
end;
$$;

comment on function agentdb.start_run (text, text, interval, text, text) is
  'Opens a run for the session''s agent and returns its number and its token; '
  'raises ZA002, ZA004 or ZA005.';


-- The row of the agent is locked so that two sessions cannot pass the cap together.
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
  perform from agentdb.agent as a
  where a.agent_id = _check_open_runs.agent_id
  for no key update;
  perform agentdb._abandon_runs(_check_open_runs.agent_id);
  select array_agg(r.run_id order by r.run_id) into v_open
  from agentdb.run as r
  where r.agent_id = _check_open_runs.agent_id and r.ended_at is null;
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


create or replace function agentdb._last_event_at (run bigint, since timestamptz)
  returns timestamptz
  language sql
  stable
  -- By number, which the index has: the latest of a million costs as much as of ten.
  return greatest(
    since,
    (select l.recorded_at from agentdb.progress_log as l
      where l.run_id = run and l.recorded_at >= since
      order by l.progress_log_id desc limit 1),
    (select l.recorded_at from agentdb.tool_call_log as l
      where l.run_id = run and l.recorded_at >= since
      order by l.tool_call_log_id desc limit 1),
    (select l.recorded_at from agentdb.token_log as l
      where l.run_id = run and l.recorded_at >= since
      order by l.token_log_id desc limit 1),
    (select max(c.began_at) from agentdb.tool_call as c
      where c.run_id = run and c.ended_at is null)
  );

comment on function agentdb._last_event_at (bigint, timestamptz) is
  'When a run logged anything last, from the logs themselves.';


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
