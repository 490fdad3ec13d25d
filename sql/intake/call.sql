-- Calls of tools as emitters tell of them: one call is one row, in however many halves
-- and by however many ways it comes.

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
    join agentdb.run as r on r.run_id = e.run_id
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


create or replace function agentdb._duration_ms (object jsonb)
  returns double precision
  language sql
  immutable
  parallel safe
  return case
    when agentdb._json_text(object, 'duration_ms') ~ '^\d{1,12}(\.\d{1,20})?$'
    then (object ->> 'duration_ms')::double precision
  end;

comment on function agentdb._duration_ms (jsonb) is
  'How long a call took, in milliseconds, NULL where that is not told.';


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
        agentdb._json_text(c.event, 'ok') = 'true',
        agentdb._json_text(c.event, 'error') is null) as ok,
      case c.kind when 'denied' then concat_ws(': ', 'denied', coalesce(
          agentdb._json_text(c.event, 'reason'), agentdb._json_text(c.event, 'error')))
        else agentdb._json_text(c.event, 'error') end as error,
      c.event ->> 'result' as result,
      agentdb._count_of(c.event, 'result_size') as result_size,
      make_interval(secs => agentdb._duration_ms(c.event) / 1000) as duration,
      agentdb._json_text(c.event, 'violation') as violation,
      coalesce(c.event -> 'unknown' = 'true', false) as unknown
    from unnest(events) as c
    where c.status is null and c.kind in ('call', 'denied')
  ) as e
  group by e.run_id, e.call_id, case when e.call_id is null then e.place end;
$$;

comment on function agentdb._merged_calls (agentdb.intake_event[]) is
  'The finished calls of a batch, each once.';


create or replace function agentdb._record_calls (
  events agentdb.intake_event[],
  recorded_by text
)
  returns integer[]
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with told as materialized (
    select m.place, m.run_id, m.agent_id, m.call_id,
      coalesce(m.tool, f.tool) as tool,
      agentdb._bounded_json(agentdb._unquoted(coalesce(m.args, f.args)), 65536) as args,
      m.ok, m.error, m.result, m.result_size,
      greatest(coalesce(m.duration, n.at - f.began_at), '0') as duration,
      m.violation, m.unknown, m.happened_at, n.at,
      nextval('agentdb.tool_call_log_tool_call_log_id_seq') as log_id
    from agentdb._merged_calls(events) as m
    cross join lateral agentdb._recorded_at(
      _record_calls.recorded_by, m.happened_at) as n (at)
    left join agentdb.tool_call as f
      on f.run_id = m.run_id and f.call_id = m.call_id
      and (f.ended_at is null or f.run_outcome is not null)
  ),
  fresh as (
    insert into agentdb.tool_call as c (
      run_id, call_id, agent_id, tool, began_at, ended_at
    )
    select t.run_id, t.call_id, t.agent_id, coalesce(t.tool, '?'),
      t.at - coalesce(t.duration, '0'), t.at
    from told as t
    where t.call_id is not null
    order by t.run_id, t.call_id
    on conflict on constraint tool_call_pkey do update
    set ended_at = excluded.ended_at,
        args = null,
        run_outcome = null
    where c.ended_at is null or c.run_outcome is not null
    returning c.run_id, c.call_id
  ),
  logged as (
    insert into agentdb.tool_call_log as l (
      tool_call_log_id, run_id, agent_id, recorded_at, tool, args, ok, error,
      result_size, duration, call_id, call_signature, shape_signature,
      result_signature, recorded_by, happened_at
    )
    overriding system value
    select t.log_id, t.run_id, t.agent_id, t.at, coalesce(t.tool, '?'), t.args, t.ok,
      agentdb._clean_text(t.error, 4000), coalesce(t.result_size, length(t.result)),
      t.duration, t.call_id, agentdb._call_signature(t.tool, t.args),
      agentdb._shape_signature(t.tool, t.args),
      agentdb._result_signature(t.ok, t.result, t.error), _record_calls.recorded_by,
      t.happened_at
    from told as t
    where t.call_id is null
      or (t.run_id, t.call_id) in (select f.run_id, f.call_id from fresh as f)
    order by t.happened_at, t.place
    returning l.tool_call_log_id
  ),
  faulty as (
    insert into agentdb.tool_fault (run_id, tool_call_log_id, fault, detail)
    select t.run_id, t.log_id, f.fault, agentdb._clean_text(f.detail, 1000)
    from told as t
    cross join lateral (
      select 'unknown' as fault,
        coalesce(t.error, 'what called it has no such tool') as detail
      where t.unknown
      union all
      select 'invalid_args', t.violation where t.violation ~ '\S'
    ) as f
    where t.log_id in (select l.tool_call_log_id from logged as l)
  )
  select array(
    select e.place
    from unnest(events) as e
    where e.status is null and e.kind in ('call', 'denied')
      and e.place not in (
        select t.place from told as t
        where t.call_id is null
          or (t.run_id, t.call_id) in (select f.run_id, f.call_id from fresh as f)));
$$;

comment on function agentdb._record_calls (agentdb.intake_event[], text) is
  'Records the finished calls of a batch and returns the places of those that were '
  'recorded before.';
