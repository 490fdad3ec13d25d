-- Place: the run of each event of a batch.

-- A session that ended and was resumed has two runs; what is told late of the first is
-- no second call of the other.
create or replace function agentdb._former_run (
  run bigint,
  happened_at timestamptz,
  call_id text
)
  returns bigint
  language sql
  stable
begin atomic
  select max(o.run_id)
  from agentdb.run as r
  join agentdb.run as o
    on o.agent_id = r.agent_id and o.conversation = r.conversation
  join agentdb.tool_call as c
    on c.run_id = o.run_id and c.call_id = _former_run.call_id
  where r.run_id = run
    and r.opened_by is not null and r.parent_run_id is null
    and r.started_at > _former_run.happened_at
    and o.opened_by is not null and o.parent_run_id is null
    and o.run_id < r.run_id
    and o.ended_at >= _former_run.happened_at
    and o.ended_at > clock_timestamp() - interval '1 hour';
end;

comment on function agentdb._former_run (bigint, timestamptz, text) is
  'The run in which a session was at a moment before its open one, if it made that '
  'call, else NULL.';


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
        when k.ended_at is null then coalesce(
          case when e.thread = '' and e.call_id is not null
            then agentdb._former_run(k.run_id, e.happened_at, e.call_id) end, k.run_id)
        when k.outcome = 'killed'
          and (k.forbids_restart or coalesce(e.place < k.restart_place, true))
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


-- The agent has begun to report the conversation itself.
create or replace function agentdb._yield_to_own (events agentdb.intake_event[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with yielded as (
    update agentdb.intake_session as s
    set run_id = o.own
    from (
      select e.agent_id, e.conversation, e.run_id as own, r.run_id
      from (
        select distinct u.agent_id, u.conversation, u.run_id
        from unnest(events) as u
        where u.status is null and u.thread = '' and u.run_id is not null
        offset 0
      ) as e
      cross join lateral (
        select k.run_id from agentdb.intake_session as k
        where (k.agent_id, k.conversation, k.thread)
            = (e.agent_id, e.conversation, '')
          and k.run_id <> e.run_id
        offset 0
      ) as k
      join agentdb.run as r
        on r.run_id = k.run_id and r.ended_at is null and r.opened_by is not null
      join agentdb.run as w on w.run_id = e.run_id and w.opened_by is null
    ) as o
    where (s.agent_id, s.conversation, s.thread) = (o.agent_id, o.conversation, '')
    returning o.run_id, o.own
  )
  select from yielded as y
  cross join lateral agentdb._end_run(y.run_id, 'replaced',
    format('the agent opened run %s for the conversation', y.own)) as e;
$$;

comment on function agentdb._yield_to_own (agentdb.intake_event[]) is
  'Ends the runs that emitters opened for conversations of which the agent has a run '
  'of its own by now.';


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
  perform agentdb._yield_to_own(v_events);
  for v_session in
    select e.agent_id, e.conversation, e.thread
    from unnest(v_events) as e
    where e.status is null and e.run_id is null
    group by e.agent_id, e.conversation, e.thread
    order by e.agent_id, e.conversation, e.thread
  loop
    -- It may have been entered as somebody's parent.
    perform agentdb._enter_session(v_session.agent_id, v_session.conversation,
      v_session.thread, opened_by)
    where not exists (
      select from agentdb.intake_session as s
      join agentdb.run as r on r.run_id = s.run_id and r.ended_at is null
      where (s.agent_id, s.conversation, s.thread)
        = (v_session.agent_id, v_session.conversation, v_session.thread));
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
