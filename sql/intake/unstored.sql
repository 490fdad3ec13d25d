-- What emitters tell of agents that have stored as much as they may today: it is
-- counted, as what the agents log themselves (activity/unstored.sql).  Sessions begin
-- and end, and calls are in flight, all the same.

create or replace function agentdb._capped_agents (events agentdb.intake_event[])
  returns bigint[]
  language sql
  stable
  return array(
    select d.agent_id
    from (
      select distinct e.agent_id from unnest(events) as e where e.status is null
    ) as t
    join agentdb.event_day as d
      on d.agent_id = t.agent_id
      and d.day_at = date_bin('1 day', statement_timestamp(), 'epoch')
    where d.capped_by is not null
  );

comment on function agentdb._capped_agents (agentdb.intake_event[]) is
  'Those among the agents of a batch that are above their caps.';


-- What an event is known by is stored as well, as long as there is room for it; and
-- arguments that nobody will store are not kept until their call ends.
create or replace function agentdb._bared_events (
  events agentdb.intake_event[],
  agents bigint[]
)
  returns agentdb.intake_event[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array(
    select row(
      e.place, e.kind, e.agent_id, e.proven, e.conversation, e.thread, e.parent_thread,
      e.happened_at, e.emitter,
      case when c.full then '{}' else e.keys end,
      e.call_id, e.tool,
      case when c.full is not null and e.kind = 'begin' then e.event - 'args'
        else e.event end,
      e.status, e.problem, e.run_id
    )::agentdb.intake_event
    from unnest(events) with ordinality as e
    left join (
      select a.agent_id, not agentdb._remembers_usage(a.agent_id) as full
      from unnest(agents) as a (agent_id)
      offset 0
    ) as c on c.agent_id = e.agent_id
    order by e.ordinality);
$$;

comment on function agentdb._bared_events (agentdb.intake_event[], bigint[]) is
  'The events of a batch, those of agents above their caps without what is not kept.';


create or replace function agentdb._count_run_events (
  run bigint,
  agent bigint,
  events agentdb.intake_event[]
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select agentdb._count_calls(run, agent, jsonb_agg(jsonb_build_object(
    'call_id', m.call_id, 'ok', m.ok)))
  from agentdb._merged_calls(events) as m
  having count(*) > 0;

  select agentdb._count_usages(run, agent, jsonb_agg(jsonb_build_object(
    'input', coalesce(agentdb._count_of(e.event, 'input'), 0),
    'cached_input', coalesce(agentdb._count_of(e.event, 'cached_input'), 0),
    'output', coalesce(agentdb._count_of(e.event, 'output'), 0),
    'cost', agentdb._json_text(e.event, 'cost')::numeric,
    'model', agentdb._clean_line(agentdb._json_text(e.event, 'model'), 200))))
  from unnest(events) as e
  where e.kind = 'tokens'
  having count(*) > 0;

  select agentdb._count_steps(run, agent, array_agg(
    agentdb._json_text(e.event, 'step') order by e.happened_at, e.place))
  from unnest(events) as e
  where e.kind = 'progress';
$$;

comment on function agentdb._count_run_events (bigint, bigint, agentdb.intake_event[])
  is 'Counts the events of one run in a batch.';


create or replace function agentdb._count_placed (
  events agentdb.intake_event[],
  agents bigint[]
)
  returns integer[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run record;
  v_places integer[] := '{}';
begin
  for v_run in
    select e.run_id, e.agent_id, array_agg(e) as events, array_agg(e.place) as places
    from unnest(events) as e
    where e.status is null
      and e.kind in ('call', 'denied', 'tokens', 'progress')
      and e.agent_id = any (agents)
    group by e.run_id, e.agent_id
    order by e.run_id
  loop
    perform agentdb._count_run_events(v_run.run_id, v_run.agent_id, v_run.events);
    v_places := v_places || v_run.places;
  end loop;
  return v_places;
end;
$$;

comment on function agentdb._count_placed (agentdb.intake_event[], bigint[]) is
  'Counts the events of agents above their caps, and returns their places.';
