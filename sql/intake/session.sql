-- Sessions: in which run an event is kept.  A conversation of an agent is one run, a
-- subagent of it (a thread) a run below that.  Where the agent has opened a run of its
-- own for the conversation, that is the one.

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
  select c.run_id, c.ended_at, c.outcome, c.opened_by
  from (
    select r.run_id, r.ended_at, r.outcome, r.opened_by
    from agentdb.run as r
    where r.run_id = run
    union all
    select r.run_id, r.ended_at, r.outcome, r.opened_by
    from agentdb.run as r
    where thread = ''
      and r.agent_id = agent
      and r.conversation = _session_last_run.conversation
      and r.opened_by is null
  ) as c
  order by c.ended_at is null desc, c.opened_by is null desc, c.run_id desc
  limit 1;
end;

comment on function agentdb._session_last_run (bigint, text, text, bigint) is
  'The run that a conversation or thread of an agent is in, or was in last.';


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
  -- The agent may have a run for a conversation of which no emitter has told.
  select r.run_id, coalesce(r.outcome = 'killed', false)
  from agentdb._session_last_run(agent, conversation, thread, (
    select s.run_id from agentdb.intake_session as s
    where (s.agent_id, s.conversation, s.thread)
      = (agent, _session_run_id.conversation, _session_run_id.thread))) as r
  where r.ended_at is null or r.outcome = 'killed';
end;

comment on function agentdb._session_run_id (bigint, text, text) is
  'The open or killed run of a conversation or thread, else NULL.';


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
    agent_id, conversation, thread, parent_thread, emitter, recorded_by, hooked,
    hook_at
  )
  select e.agent_id, e.conversation, t.thread,
    max(e.parent_thread) filter (where t.thread = e.thread), max(e.emitter),
    _touch_sessions.recorded_by, bool_or(h.hook),
    case when bool_or(h.hook) then clock_timestamp() end
  from unnest(events) as e
  cross join lateral (values (''), (e.thread)) as t (thread)
  cross join lateral (
    select coalesce(e.event ->> 'source' = 'hook', false)
      or _touch_sessions.recorded_by = 'hook'
  ) as h (hook)
  where e.status is null
  group by e.agent_id, e.conversation, t.thread
  order by e.agent_id, e.conversation, t.thread
  on conflict on constraint intake_session_pkey do update
  set last_at = clock_timestamp(),
      parent_thread = coalesce(s.parent_thread, excluded.parent_thread),
      hooked = s.hooked or excluded.hooked,
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
    restart_place integer, run_id bigint, ended_at timestamptz, outcome text,
    forbids_restart boolean
  )
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select s.agent_id, s.conversation, s.thread, s.start_place,
    -- One that was on its way when the run was killed starts nothing anew.
    case when coalesce(s.restarted_at > r.ended_at, true) then s.restart_place end,
    r.run_id, r.ended_at, r.outcome, p.kill_forbids_restart
  from (
    select e.agent_id, e.conversation, e.thread,
      min(e.place) filter (where e.kind = 'start' and e.status is null) as start_place,
      -- A prompt goes on with what there is: it wakes nobody who was killed.
      min(e.place) filter (where w.wakes) as restart_place,
      max(e.happened_at) filter (where w.wakes) as restarted_at
    from unnest(events) as e
    cross join lateral (
      select e.kind = 'start' and e.status is null
        and e.event ->> 'source' is distinct from 'prompt' as wakes
    ) as w
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
