-- Sessions: in which run an event is kept.  A conversation of an agent is one run, a
-- subagent of it (a thread) a run below that.  Where the agent has opened a run of its
-- own for the conversation, that is the one.

create or replace function agentdb._open_intake_run (
  agent bigint,
  conversation text,
  parent bigint,
  opened_by text
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run bigint := nextval('agentdb.run_run_id_seq');
begin
  -- Pooled, and without a token: no session is ever taken for its process.
  insert into agentdb.run (
    run_id, agent_id, role_name, pooled, conversation, parent_run_id, opened_by,
    label, lock_max_ttl, renew_needs_progress
  )
  overriding system value
  select v_run, a.agent_id, a.role_name, true, _open_intake_run.conversation, parent,
    _open_intake_run.opened_by, agentdb._run_label(v_run, a.agent_name),
    p.lock_max_ttl, p.renew_needs_progress
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.agent_id = agent;
  insert into agentdb.run_gate (run_id) values (v_run);
  return v_run;
end;
$$;

comment on function agentdb._open_intake_run (bigint, text, bigint, text) is
  'Opens a run for what an emitter tells of a conversation.';


-- The agent's own run where one is open, else the session's, else the last of either.
create or replace function agentdb._session_last_run (
  agent bigint,
  conversation text,
  thread text,
  run bigint
)
  returns table (
    run_id bigint, ended_at timestamptz, outcome text, opened_by text
  )
  language sql
  stable
begin atomic
  select r.run_id, r.ended_at, r.outcome, r.opened_by
  from agentdb.run as r
  where r.agent_id = agent
    and r.conversation = _session_last_run.conversation
    and (r.run_id = run or thread = '' and r.opened_by is null)
  order by r.ended_at is null desc, r.opened_by is null desc, r.run_id desc
  limit 1;
end;

comment on function agentdb._session_last_run (bigint, text, text, bigint) is
  'The run that a conversation or thread of an agent is in, or was in last.';


-- Also the lock of the session: batches about one conversation go one after the other,
-- always in the same order.
create or replace function agentdb._touch_sessions (
  events agentdb.intake_event[],
  recorded_by text
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.intake_session as s (
    agent_id, conversation, thread, emitter, recorded_by, hook_at
  )
  select e.agent_id, e.conversation, t.thread, max(e.emitter),
    _touch_sessions.recorded_by,
    case when bool_or(e.event ->> 'source' = 'hook') or recorded_by = 'hook'
      then clock_timestamp() end
  from unnest(events) as e
  cross join lateral (values (''), (e.thread)) as t (thread)
  where e.status is null
  group by e.agent_id, e.conversation, t.thread
  order by e.agent_id, e.conversation, t.thread
  on conflict on constraint intake_session_pkey do update
  set last_at = clock_timestamp(),
      hook_at = coalesce(excluded.hook_at, s.hook_at),
      emitter = coalesce(excluded.emitter, s.emitter);
$$;

comment on function agentdb._touch_sessions (agentdb.intake_event[], text) is
  'Writes down that the sessions of a batch were heard of, and locks them.';


-- A session costs a run: who makes up names of conversations fills no table with them.
create or replace function agentdb._too_many_sessions (events agentdb.intake_event[])
  returns integer[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent record;
  v_places integer[] := '{}';
begin
  for v_agent in
    select s.agent_id, s.open
    from (
      select e.agent_id, count(distinct (e.conversation, e.thread)) as sessions, (
          select count(*) from agentdb.run as r
          where r.agent_id = e.agent_id
            and r.ended_at is null
            and r.opened_by is not null) as open
      from unnest(events) as e
      where e.status is null
      group by e.agent_id
    ) as s
    where s.open + s.sessions > 1000
  loop
    v_places := v_places || array(
      select n.place
      from (
        select e.place,
          dense_rank() over (order by e.conversation, e.thread) as nth
        from unnest(events) as e
        where e.status is null
          and e.agent_id = v_agent.agent_id
          and (select r.run_id from agentdb._session_run_id(
            e.agent_id, e.conversation, e.thread) as r) is null
      ) as n
      where v_agent.open + n.nth > 1000);
  end loop;
  return v_places;
end;
$$;

comment on function agentdb._too_many_sessions (agentdb.intake_event[]) is
  'The places of events of sessions that would be more than 1000 open ones of their '
  'agent.';


create or replace function agentdb._known_sessions (events agentdb.intake_event[])
  returns table (
    agent_id bigint, conversation text, thread text, start_place integer,
    run_id bigint, ended_at timestamptz, outcome text, forbids_restart boolean
  )
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select s.agent_id, s.conversation, s.thread, s.start_place, r.run_id, r.ended_at,
    r.outcome, p.kill_forbids_restart
  from (
    select e.agent_id, e.conversation, e.thread,
      min(e.place) filter (where e.kind = 'start' and e.status is null) as start_place
    from unnest(events) as e
    where e.status is null or e.status = 'repeated'
    group by e.agent_id, e.conversation, e.thread
  ) as s
  cross join lateral (
    select o.run_id from agentdb.intake_session as o
    where (o.agent_id, o.conversation, o.thread)
      = (s.agent_id, s.conversation, s.thread)
    offset 0
  ) as i
  join agentdb.agent as a on a.agent_id = s.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral agentdb._session_last_run(
    s.agent_id, s.conversation, s.thread, i.run_id) as r;
$$;

comment on function agentdb._known_sessions (agentdb.intake_event[]) is
  'The sessions of a batch that have or had a run, and where in it they start anew.';


-- What happened before a run ended came late.  Whoever was killed stays killed, until
-- it says that it starts anew.
create or replace function agentdb._place_known (events agentdb.intake_event[])
  returns agentdb.intake_event[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  -- Nobody knows how many there are: 10,000 times 10,000 is too many to compare.
  set enable_nestloop = off
as $$
  select coalesce(array_agg(row(
      e.place, e.kind, e.agent_id, e.proven, e.conversation, e.thread, e.parent_thread,
      e.happened_at, e.emitter, e.keys, e.call_id, e.tool, e.event, e.status, e.problem,
      case
        when k.ended_at is null then k.run_id
        when k.outcome = 'killed'
          and (k.forbids_restart or coalesce(e.place < k.start_place, true))
          then k.run_id
        when e.place >= k.start_place then null
        when k.ended_at > clock_timestamp() - interval '1 hour'
          and coalesce(e.happened_at <= k.ended_at + interval '1 minute', true)
          then k.run_id
      end
    )::agentdb.intake_event order by e.happened_at, e.place), '{}')
  from unnest(events) as e
  left join agentdb._known_sessions(events) as k
    on (k.agent_id, k.conversation, k.thread) = (e.agent_id, e.conversation, e.thread)
    and (e.status is null or e.status = 'repeated');
$$;

comment on function agentdb._place_known (agentdb.intake_event[]) is
  'The events of a batch in the order in which they happened, with the runs that they '
  'belong to, as far as there are any.';


create or replace function agentdb._session_run_id (
  agent bigint,
  conversation text,
  thread text,
  out run_id bigint,
  out killed boolean
)
  language sql
  stable
begin atomic
  select r.run_id, coalesce(r.outcome = 'killed', false)
  from agentdb.intake_session as s
  cross join lateral agentdb._session_last_run(
    s.agent_id, s.conversation, s.thread, s.run_id) as r
  where (s.agent_id, s.conversation, s.thread)
      = (agent, _session_run_id.conversation, _session_run_id.thread)
    and (r.ended_at is null or r.outcome = 'killed');
end;

comment on function agentdb._session_run_id (bigint, text, text) is
  'The open or killed run of a conversation or thread, else NULL.';


-- A new thread of a killed conversation is that conversation, and has no run to itself.
create or replace function agentdb._enter_session (
  agent bigint,
  conversation text,
  thread text,
  parent_thread text,
  opened_by text
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run bigint;
  v_killed boolean := false;
  v_parent bigint;
begin
  if thread <> '' then
    select r.run_id, r.killed into v_run, v_killed
    from agentdb._session_run_id(agent, conversation, '') as r;
    v_parent := coalesce(v_run,
      agentdb._enter_session(agent, conversation, '', null, opened_by));
    v_parent := coalesce((
      select r.run_id
      from agentdb._session_run_id(agent, conversation, parent_thread) as r
      where parent_thread <> thread and not r.killed), v_parent);
  end if;
  if not coalesce(v_killed, false) then
    v_run := agentdb._open_intake_run(agent, conversation, v_parent, opened_by);
  end if;
  update agentdb.intake_session as s
  set run_id = v_run
  where (s.agent_id, s.conversation, s.thread)
    = (agent, _enter_session.conversation, _enter_session.thread);
  return v_run;
end;
$$;

comment on function agentdb._enter_session (bigint, text, text, text, text) is
  'Opens the run of a conversation or thread that has none open.';


create or replace function agentdb._place_events (
  events agentdb.intake_event[],
  opened_by text
)
  returns agentdb.intake_event[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_events agentdb.intake_event[] := agentdb._place_known(events);
  v_session record;
begin
  for v_session in
    select e.agent_id, e.conversation, e.thread, max(e.parent_thread) as parent_thread
    from unnest(v_events) as e
    where e.status is null and e.run_id is null
    group by e.agent_id, e.conversation, e.thread
    order by e.agent_id, e.conversation, e.thread
  loop
    v_session.agent_id := agentdb._enter_session(v_session.agent_id,
      v_session.conversation, v_session.thread, v_session.parent_thread, opened_by);
  end loop;
  if not found then
    return v_events;
  end if;
  return array(
    select row(
      e.place, e.kind, e.agent_id, e.proven, e.conversation, e.thread, e.parent_thread,
      e.happened_at, e.emitter, e.keys, e.call_id, e.tool, e.event, e.status, e.problem,
      coalesce(e.run_id, s.run_id)
    )::agentdb.intake_event
    from unnest(v_events) with ordinality as e
    left join lateral (
      select o.run_id from agentdb.intake_session as o
      where e.status is null and (o.agent_id, o.conversation, o.thread)
        = (e.agent_id, e.conversation, e.thread)
      offset 0
    ) as s on true
    order by e.ordinality);
end;
$$;

comment on function agentdb._place_events (agentdb.intake_event[], text) is
  'The events of a batch, each with its run, which is opened where there is none.';
