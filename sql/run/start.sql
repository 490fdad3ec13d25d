-- The start of a run: who was before it, and what it is.

create or replace function agentdb._check_start (
  conversation text,
  tick_interval interval,
  tick_max interval,
  instance text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if conversation is not null and not agentdb._is_clean_name(conversation, 200) then
    perform agentdb._refuse(
      format('%L is no name for a conversation',
        agentdb._clean_text(conversation, 100)),
      'Use 1 to 200 visible characters on one line, or leave it out.'
    );
  elsif instance is not null and not agentdb._is_clean_name(instance, 200) then
    perform agentdb._refuse(
      format('%L is no name for an instance', agentdb._clean_text(instance, 100)),
      'Use 1 to 200 visible characters on one line, such as the name of the host, or '
        'leave it out.'
    );
  elsif tick_interval <= '0' or tick_interval > '1 year' then
    perform agentdb._refuse(
      format('tick_interval must be between 0 and 1 year, got %s', tick_interval),
      'Give the time from one start to the next, such as tick_interval => ''15 min''.'
    );
  elsif tick_max <= '0' or tick_max > '7 days' then
    perform agentdb._refuse(
      format('tick_max must be between 0 and 7 days, got %s', tick_max),
      'Give how long this tick may take, such as tick_max => ''40 min''.'
    );
  end if;
end;
$$;

comment on function agentdb._check_start (text, interval, interval, text) is
  'Raises ZA004 for what a run cannot be started with.';


-- Two sessions of an agent start one after the other.
create or replace function agentdb._queue_start (agent bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform from agentdb.agent as a where a.agent_id = agent for no key update;
exception when lock_not_available then
  raise exception 'another session has started a run of this agent, and its '
      'transaction goes on'
    using errcode = '55P03',
          hint = 'Commit after start_run() before the work begins, in every process of '
            'the agent; then call it again.';
end;
$$;

comment on function agentdb._queue_start (bigint) is
  'Waits until nobody else is just starting a run of the agent; raises 55P03.';


-- Work after a kill is new work: never in the transaction that was stopped.
create or replace function agentdb._check_restart (agent bigint, pooled boolean)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kill agentdb.run_stop;
begin
  if pooled then
    return;
  end if;
  select k.* into v_kill from agentdb._killed_here() as k;
  if v_kill.run_id is null then
    return;
  elsif v_kill.stopped_at > transaction_timestamp() or (
    select p.kill_forbids_restart
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    where a.agent_id = agent
  ) then
    perform agentdb._refuse_stopped('killed', v_kill.reason,
      format('run %s of this session', v_kill.run_id));
  end if;
  insert into agentdb.stop_log (agent_id, run_id, action, reason, details)
  values (agent, v_kill.run_id, 'restart',
    'the session of a killed run started another', jsonb_build_object(
      'pid', pg_backend_pid(), 'killed', v_kill.stopped_at));
end;
$$;

comment on function agentdb._check_restart (bigint, boolean) is
  'Raises ZA040 where the session of a killed run may not start another, else writes '
  'down that it does.';


-- Two processes that are both alive stay two runs, unless they say that they are one
-- instance.
create or replace function agentdb._close_former (agent bigint, instance text)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run_id bigint;
  v_same boolean;
  v_gone boolean;
  -- No array: asyncpg reads none within a composite value.
  v_closed jsonb := '[]';
begin
  for v_run_id, v_same in
    select r.run_id, coalesce(r.instance = _close_former.instance, false)
    from agentdb.run as r
    where r.agent_id = agent and r.ended_at is null and r.opened_by is null
    order by r.run_id
  loop
    v_gone := agentdb._is_gone(v_run_id, starting => true);
    if v_same then
      -- Not two of one instance: waits for who is just changing the run.
      perform from agentdb.run as r where r.run_id = v_run_id for no key update;
    end if;
    if (v_gone or v_same) and (
      select e.ended_at
      from agentdb._end_run(v_run_id,
        case when v_gone then 'crashed' else 'replaced' end,
        case when v_gone then agentdb._gone_because(v_run_id)
          else format('instance %s was started again', instance) end) as e
    ) is not null then
      v_closed := v_closed || to_jsonb(v_run_id);
    end if;
  end loop;
  return v_closed;
end;
$$;

comment on function agentdb._close_former (bigint, text) is
  'Ends the runs of an agent whose process is gone, and the one of the same instance; '
  'returns their numbers.';


-- A session that was there at a kill may have been the killed one's.
create or replace function agentdb._is_alone (run bigint)
  returns boolean
  language sql
  volatile
  return not exists (
    select from agentdb.run as o
    where o.role_name = session_user
      and not o.pooled
      and o.ended_at is null
      and o.run_id <> run
  ) and not agentdb._is_crowded(run, clock_timestamp(), starting => true)
  and not exists (
    select
    from agentdb.run_stop as k
    join agentdb._role_sessions(session_user) as s
      on s.pid <> pg_backend_pid() and s.began_at < k.stopped_at
    where k.role_name = session_user
      and k.kind = 'killed'
      and k.stopped_at > pg_postmaster_start_time()
  );

comment on function agentdb._is_alone (bigint) is
  'Tells whether a session of the role that belongs to no run can only be this one''s.';


create or replace function agentdb._add_run (
  agent bigint,
  pooled boolean,
  conversation text,
  tick_interval interval,
  tick_max interval,
  purpose text,
  instance text,
  parent bigint,
  token text,
  on_behalf_of text,
  out run_id bigint,
  out conversation_name text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_last_stop bigint := agentdb._last_stop();
begin
  perform agentdb._check_stop(null, agent);
  run_id := nextval('agentdb.run_run_id_seq');
  -- A run without a conversation is one of its own.
  conversation_name := coalesce(conversation, format('run-%s', run_id));
  insert into agentdb.run (
    run_id, agent_id, role_name, pooled, conversation, purpose, tick_interval,
    tick_max, instance, parent_run_id, root_run_id, on_behalf_of, token_hash, pid,
    alone, stop_seen, label,
    lock_max_ttl, renew_needs_progress, unstored_until
  )
  overriding system value
  select
    _add_run.run_id, agent, session_user, _add_run.pooled, conversation_name,
    agentdb._clean_line(_add_run.purpose, 500), _add_run.tick_interval,
    _add_run.tick_max,
    _add_run.instance, parent, agentdb._root_through(parent),
    -- Whoever is proven to work for another run works for whom that one does.
    coalesce(nullif(btrim(agentdb._clean_line(_add_run.on_behalf_of, 200)), ''), (
      select p.on_behalf_of from agentdb.run as p where p.run_id = parent)),
    agentdb._hash_secret(token),
    case when not _add_run.pooled then pg_backend_pid() end,
    not _add_run.pooled and agentdb._is_alone(_add_run.run_id),
    case when not _add_run.pooled then v_last_stop end,
    agentdb._run_label(_add_run.run_id, p.agent_name), p.max_ttl, p.needs_progress,
    p.unstored_until
  from agentdb._lock_limit(agent) as p;
  insert into agentdb.run_token (token_hash, run_id)
  values (agentdb._hash_secret(token), _add_run.run_id);
  insert into agentdb.run_gate (run_id) values (_add_run.run_id);
end;
$$;

comment on function agentdb._add_run (
  bigint, boolean, text, interval, interval, text, text, bigint, text, text) is
  'Writes down a run that begins; raises ZA040 or ZA041 for a stopped agent.';
