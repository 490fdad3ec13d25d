-- Calls of tools as emitters report them: one call is one row, in however many halves
-- and by however many ways it comes.

-- More of a run that neither end nor go on are a leak, as for the agent itself.
create or replace function agentdb._too_many_begun (events agentdb.intake_event[])
  returns integer[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array(
    select b.place
    from (
      select e.place, e.run_id,
        row_number() over (partition by e.run_id order by e.place) as nth
      from unnest(events) as e
      where e.status is null and e.kind = 'begin'
    ) as b
    join (
      select r.run_id, (
          select count(*) from agentdb.tool_call as c
          where c.run_id = r.run_id and c.ended_at is null) as calls
      from (
        select distinct e.run_id from unnest(events) as e
        where e.status is null and e.kind = 'begin'
      ) as r
    ) as f on f.run_id = b.run_id
    where f.calls + b.nth > 1000);
$$;

comment on function agentdb._too_many_begun (agentdb.intake_event[]) is
  'The places of calls that begin in a run which has 1000 in flight.';


-- Its end was told first: with its beginning all of it is known.
create or replace function agentdb._ended_begins (events agentdb.intake_event[])
  returns agentdb.intake_event[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array(
    select row(
      e.place, case when h.ended then 'call' else e.kind end, e.agent_id, e.proven,
      e.conversation, e.thread, e.parent_thread, e.happened_at, e.emitter, e.keys,
      e.call_id, e.tool, e.event, e.status, e.problem, e.run_id
    )::agentdb.intake_event
    from unnest(events) with ordinality as e
    cross join lateral (
      select case when e.kind = 'begin' and e.status is null then exists (
          select from agentdb.tool_call as c
          where c.run_id = e.run_id and c.call_id = e.call_id and c.tool = '?')
        else false end as ended
    ) as h
    order by e.ordinality);
$$;

comment on function agentdb._ended_begins (agentdb.intake_event[]) is
  'The events of a batch, where the beginning of a call whose end was told before is '
  'the call.';


-- A call that was closed because its run ended has not been recorded, and may be still.
create or replace function agentdb._record_begins (
  events agentdb.intake_event[],
  recorded_by text
)
  returns integer[]
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with begun as (
    insert into agentdb.tool_call as c (
      run_id, call_id, agent_id, tool, args, began_at, ended_at, run_outcome
    )
    select e.run_id, e.call_id, e.agent_id, e.tool,
      agentdb._bounded_json(nullif(e.event -> 'args', 'null'), 65536),
      agentdb._recorded_at(recorded_by, e.happened_at),
      case when r.ended_at is not null then clock_timestamp() end, r.outcome
    from (
      select distinct on (b.run_id, b.call_id) b.*
      from unnest(events) as b
      where b.status is null and b.kind = 'begin'
      order by b.run_id, b.call_id, b.place
    ) as e
    cross join lateral (
      select o.ended_at, o.outcome from agentdb.run as o where o.run_id = e.run_id
      offset 0
    ) as r
    order by e.run_id, e.call_id
    on conflict on constraint tool_call_pkey do nothing
    returning c.run_id, c.call_id
  )
  -- NOT IN is one look into a hash, however many there are.
  select array(
    select e.place
    from unnest(events) as e
    where e.status is null and e.kind = 'begin'
      and (e.run_id, e.call_id) not in (select b.run_id, b.call_id from begun as b));
$$;

comment on function agentdb._record_begins (agentdb.intake_event[], text) is
  'Writes down the calls of a batch that begin and returns the places of those that '
  'had.';


create or replace function agentdb._duration (object jsonb)
  returns interval
  language sql
  immutable
  parallel safe
  return case
    when agentdb._json_text(object, 'duration_ms') ~ '^\d{1,12}(\.\d{1,20})?$'
    then make_interval(secs => (object ->> 'duration_ms')::double precision / 1000)
  end;

comment on function agentdb._duration (jsonb) is
  'How long a call took, NULL where that is not told.';


-- Sights of one call in a batch are one: what any of them knows is known of it.
create or replace function agentdb._merged_calls (events agentdb.intake_event[])
  returns table (
    place integer, run_id bigint, agent_id bigint, call_id text, tool text, args jsonb,
    ok boolean, error text, result text, result_size bigint, duration interval,
    violation text, unknown boolean, happened_at timestamptz
  )
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select min(e.place), e.run_id, min(e.agent_id), e.call_id,
    (array_agg(e.tool order by e.place) filter (where e.tool is not null))[1],
    (array_agg(e.args order by e.place) filter (where e.args is not null))[1],
    bool_and(e.ok), max(e.error), max(e.result), max(e.result_size), max(e.duration),
    max(e.violation), bool_or(e.unknown), min(e.happened_at)
  from (
    select c.place, c.run_id, c.agent_id, c.call_id, c.tool, c.happened_at,
      nullif(c.event -> 'args', 'null') as args,
      c.kind = 'call' and coalesce(
        nullif(c.event -> 'ok', 'null') = 'true',
        agentdb._json_text(c.event, 'error') is null) as ok,
      case c.kind when 'denied' then concat_ws(': ', 'denied', coalesce(
          agentdb._json_text(c.event, 'reason'), agentdb._json_text(c.event, 'error')))
        else agentdb._json_text(c.event, 'error') end as error,
      c.event ->> 'result' as result,
      agentdb._count_of(c.event, 'result_size') as result_size,
      agentdb._duration(c.event) as duration,
      agentdb._json_text(c.event, 'violation') as violation,
      coalesce(c.event -> 'unknown' = 'true', false) as unknown
    from unnest(events) as c
    where c.status is null and c.kind in ('call', 'denied')
  ) as e
  group by e.run_id, e.call_id, case when e.call_id is null then e.place end;
$$;

comment on function agentdb._merged_calls (agentdb.intake_event[]) is
  'The finished calls of a batch, each once.';


-- With what was known before.  The number is drawn here: a fault is noted with the call
-- that it belongs to.
create or replace function agentdb._told_calls (
  events agentdb.intake_event[],
  recorded_by text
)
  returns agentdb.intake_call[]
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(row(
      m.place,
      case
        when f.ended_at is not null and f.run_outcome is null then 'late'
        when coalesce(m.tool, nullif(f.tool, '?')) is null then 'half'
        else 'new'
      end,
      m.run_id, m.agent_id, m.call_id, coalesce(m.tool, nullif(f.tool, '?')),
      agentdb._bounded_json(agentdb._unquoted(coalesce(m.args, f.args)), 65536),
      m.ok and coalesce(f.known -> 'ok' = 'true', true),
      agentdb._clean_text(coalesce(m.error, f.known ->> 'error'), 4000),
      coalesce(m.result, f.known ->> 'result'),
      coalesce(m.result_size, agentdb._count_of(f.known, 'result_size')),
      -- A clock that was set back tells nothing.
      coalesce(m.duration, agentdb._duration(f.known),
        case when n.at >= f.began_at and f.known is null then n.at - f.began_at end),
      coalesce(m.violation, f.known ->> 'violation'),
      m.unknown or coalesce(f.known -> 'unknown' = 'true', false),
      n.at, m.happened_at,
      nextval('agentdb.tool_call_log_tool_call_log_id_seq')
    )::agentdb.intake_call order by m.happened_at, m.place), '{}')
  -- In their order before their numbers are drawn: rules go by these.
  from (
    select c.* from agentdb._merged_calls(events) as c
    order by c.happened_at, c.place
    offset 0
  ) as m
  cross join lateral agentdb._recorded_at(
    _told_calls.recorded_by, m.happened_at) as n (at)
  -- Nobody knows how many there are: each is one look into the index, whatever the
  -- planner takes them for.
  left join lateral (
    select c.tool, c.args, c.began_at, c.ended_at, c.run_outcome, c.known
    from agentdb.tool_call as c
    where c.run_id = m.run_id and c.call_id = m.call_id
    offset 0
  ) as f on true;
$$;

comment on function agentdb._told_calls (agentdb.intake_event[], text) is
  'The finished calls of a batch in the order in which they happened: new, half told, '
  'or recorded before.';
