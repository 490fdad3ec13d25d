-- A call that the agent's own session records too: by its client, or by the gateway,
-- which knows no conversation.  It belongs to that run, and is one call.

create or replace function agentdb._own_sights (events agentdb.intake_event[])
  returns table (place integer, run_id bigint)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select e.place, o.run_id
  from unnest(events) as e
  cross join lateral (
    select r.run_id
    from (
      select n.run_id
      from agentdb.run as n
      where n.agent_id = e.agent_id
        and n.opened_by is null
        and coalesce(n.ended_at, 'infinity') > clock_timestamp() - interval '1 hour'
      order by n.started_at desc
      limit 20
    ) as r
    join agentdb.tool_call as c on c.run_id = r.run_id and c.call_id = e.call_id
    where r.run_id <> e.run_id
    limit 1
  ) as o
  where e.status is null
    and e.kind in ('begin', 'call', 'denied')
    -- A short id names nothing beyond its run.
    and length(e.call_id) >= 16;
$$;

comment on function agentdb._own_sights (agentdb.intake_event[]) is
  'The calls of a batch that the agent''s own runs have, and in which run.';


create or replace function agentdb._join_own (events agentdb.intake_event[])
  returns agentdb.intake_event[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_places integer[];
  v_runs bigint[];
begin
  if not exists (
    select
    from (select distinct e.agent_id from unnest(events) as e) as a
    join agentdb.run as r on r.agent_id = a.agent_id and r.opened_by is null
  ) then
    return events;
  end if;
  select array_agg(o.place), array_agg(o.run_id) into v_places, v_runs
  from agentdb._own_sights(events) as o;
  if v_places is null then
    return events;
  end if;
  -- It is in flight nowhere else.
  update agentdb.tool_call as c
  set ended_at = clock_timestamp(),
      args = null,
      run_outcome = 'elsewhere'
  from unnest(events) as e
  where e.place = any (v_places)
    and c.run_id = e.run_id
    and c.call_id = e.call_id
    and c.ended_at is null;
  return array(
    select row(
      e.place, e.kind, e.agent_id, e.proven, e.conversation, e.thread, e.parent_thread,
      e.happened_at, e.emitter, e.keys, e.call_id, e.tool, e.event, e.status, e.problem,
      coalesce(v_runs[array_position(v_places, e.place)], e.run_id)
    )::agentdb.intake_event
    from unnest(events) with ordinality as e
    order by e.ordinality);
end;
$$;

comment on function agentdb._join_own (agentdb.intake_event[]) is
  'The events of a batch, those of calls that the agent''s own run has in that run.';
