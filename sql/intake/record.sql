-- Record: a batch of events of any agents, in a handful of statements.  Role
-- agentdb_intake alone may do so, and each row says who recorded it.

create or replace function agentdb._mark (
  events agentdb.intake_event[],
  places integer[],
  status text,
  problem text default null
)
  returns agentdb.intake_event[]
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select case when places = '{}' then events else array(
    select row(
      e.place, e.kind, e.agent_id, e.proven, e.conversation, e.thread, e.parent_thread,
      e.happened_at, e.emitter, e.keys, e.call_id, e.tool, e.event,
      case when n.marked then _mark.status else e.status end,
      case when n.marked then _mark.problem else e.problem end,
      e.run_id
    )::agentdb.intake_event
    from unnest(events) with ordinality as e
    cross join lateral (
      select e.place in (select p from unnest(places) as p) as marked
    ) as n
    order by e.ordinality)
  end;
$$;

comment on function agentdb._mark (agentdb.intake_event[], integer[], text, text) is
  'The events of a batch, some of them with another status.';


-- In the order of the keys, so that two batches never wait for each other.
create or replace function agentdb._take_keys (events agentdb.intake_event[])
  returns integer[]
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with told as materialized (
    select e.agent_id, k.key, e.place,
      row_number() over (partition by e.agent_id, k.key order by e.place) as nth
    from unnest(events) as e
    cross join lateral unnest(e.keys) as k (key)
    where e.status is null
  ),
  fresh as (
    insert into agentdb.event_key as f (agent_id, key)
    select t.agent_id, t.key
    from told as t
    where t.nth = 1
    order by t.agent_id, t.key
    on conflict on constraint event_key_pkey do nothing
    returning f.agent_id, f.key
  )
  select array(
    select distinct t.place
    from told as t
    where t.nth > 1
      or (t.agent_id, t.key) not in (select f.agent_id, f.key from fresh as f));
$$;

comment on function agentdb._take_keys (agentdb.intake_event[]) is
  'Writes down what the events of a batch are known by and returns the places of those '
  'that were known.';


create or replace function agentdb._forget_refused (events agentdb.intake_event[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  delete from agentdb.event_key as k
  using unnest(events) as e
  cross join lateral unnest(e.keys) as t (key)
  where e.status = 'refused'
    and (k.agent_id, k.key) = (e.agent_id, t.key);
$$;

comment on function agentdb._forget_refused (agentdb.intake_event[]) is
  'Has what was refused after all be new when it is sent again.';


create or replace function agentdb._record_placed (
  events agentdb.intake_event[],
  recorded_by text,
  capped bigint[] default '{}'
)
  returns agentdb.intake_event[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_events agentdb.intake_event[] := agentdb._join_own(events);
  v_many integer[];
begin
  if exists (
    select from unnest(v_events) as e where e.kind = 'begin' and e.status is null
  ) then
    v_events := agentdb._ended_begins(v_events);
  end if;
  v_many := agentdb._too_many_begun(v_events);
  if v_many <> '{}' then
    v_events := agentdb._mark(v_events, v_many, 'refused',
      'its run has 1000 calls in flight; end those that are over');
    perform agentdb._forget_refused(v_events);
  end if;
  v_events := agentdb._mark(
    v_events, agentdb._record_begins(v_events, recorded_by), 'repeated');
  if capped <> '{}' then
    v_events := agentdb._mark(
      v_events, agentdb._count_placed(v_events, capped), 'counted');
  end if;
  v_events := agentdb._mark(
    v_events, agentdb._record_calls(v_events, recorded_by), 'repeated');
  perform agentdb._record_usage(v_events, recorded_by);
  perform agentdb._record_steps(v_events, recorded_by);
  return v_events;
end;
$$;

comment on function agentdb._record_placed (agentdb.intake_event[], text, bigint[]) is
  'Writes the events of a batch into the logs of their runs; counts those of agents '
  'above their caps.';


create or replace function agentdb._record (
  events agentdb.intake_event[],
  recorded_by text
)
  returns agentdb.intake_event[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_events agentdb.intake_event[] := events;
  v_capped bigint[];
begin
  v_events := agentdb._mark(v_events, array(
    select e.place from unnest(v_events) as e
    where e.status is null and not e.proven), 'unproven');
  v_capped := agentdb._capped_agents(v_events);
  if v_capped <> '{}' then
    v_events := agentdb._bared_events(v_events, v_capped);
  end if;
  v_events := agentdb._mark(v_events, agentdb._too_many_sessions(v_events), 'refused',
    'its agent has 1000 sessions open; end those that are over');
  perform agentdb._touch_sessions(v_events, recorded_by);
  v_events := agentdb._mark(v_events, agentdb._take_keys(v_events), 'repeated');
  v_events := agentdb._place_events(v_events, recorded_by);
  v_events := agentdb._record_placed(v_events, recorded_by, v_capped);
  perform agentdb._record_starts(v_events);
  perform agentdb._record_ends(v_events);
  perform agentdb._record_unproven(v_events, recorded_by);
  return v_events;
end;
$$;

comment on function agentdb._record (agentdb.intake_event[], text) is
  'Records the events of a batch, and says of each what became of it.';


-- Whoever holds something locked that its emitter reports keeps nobody else waiting.
create or replace function agentdb._record_apart (
  events agentdb.intake_event[],
  recorded_by text
)
  returns agentdb.intake_event[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent bigint;
  v_part agentdb.intake_event[];
  v_done agentdb.intake_event[] := '{}';
begin
  for v_agent in
    select distinct e.agent_id from unnest(events) as e where e.status is null
    order by 1
  loop
    v_part := array(
      select e from unnest(events) as e
      where e.status is null and e.agent_id = v_agent order by e.place);
    begin
      v_part := agentdb._record(v_part, recorded_by);
    exception when lock_not_available then
      v_part := agentdb._mark(v_part, array(select e.place from unnest(v_part) as e),
        'refused', 'busy: a transaction of its agent is in the way; send it again');
    end;
    v_done := v_done || v_part;
  end loop;
  return v_done || array(
    select e from unnest(events) as e where e.status is not null);
end;
$$;

comment on function agentdb._record_apart (agentdb.intake_event[], text) is
  'Records a batch agent by agent; the events of those that have to be waited for are '
  'refused as busy.';


create or replace function agentdb.record_events (
  events jsonb,
  recorded_by text default 'otlp'
)
  returns table (place integer, status text, problem text, run_id bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  -- Shorter than deadlock_timeout: a session that waits for us is not the one to fail.
  set lock_timeout = '200ms'
as $$
declare
  v_events agentdb.intake_event[];
begin
  if recorded_by is null or recorded_by = 'import'
    or recorded_by !~ '^[a-z][a-z0-9_-]{0,30}$' then
    perform agentdb._refuse(
      format('%L is no way to record', agentdb._clean_text(recorded_by, 50)),
      'Say otlp, hook or the like: a small word.');
  end if;
  events := agentdb._unquoted(events);
  perform agentdb._check_batch(events);
  v_events := agentdb._parse_events(events);
  perform agentdb._commit_lightly(array(
    select distinct e.agent_id from unnest(v_events) as e));
  begin
    v_events := agentdb._record(v_events, recorded_by);
  exception when lock_not_available then
    v_events := agentdb._record_apart(v_events, recorded_by);
  end;
  return query
    select e.place, coalesce(e.status, 'recorded'), e.problem, e.run_id
    from unnest(v_events) as e
    order by e.place;
end;
$$;

comment on function agentdb.record_events (jsonb, text) is
  'Records a JSON array of events, each {kind, agent, proven, conversation, thread, '
  'at, emitter, ids, …}, and says of each whether it was recorded, repeated, unproven, '
  'counted and not stored, or refused; a problem that begins with "busy:" is none of '
  'the event: it is to be sent again; raises ZA004 for what is no batch.';
