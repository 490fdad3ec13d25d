-- The log of calls that emitters told of: what is recorded, held until the rest is
-- told, or told too late.

-- Of what is told first of an end nobody knows what was called: it waits for the rest,
-- and is not in flight.
create or replace function agentdb._hold_halves (calls agentdb.intake_call[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.tool_call as c (
    run_id, call_id, agent_id, tool, args, began_at, ended_at, run_outcome, known
  )
  select t.run_id, t.call_id, t.agent_id, '?', t.args, t.recorded_at,
    clock_timestamp(), 'half',
    jsonb_strip_nulls(jsonb_build_object('ok', t.ok, 'error', t.error,
      'result', left(t.result, 65536), 'result_size', t.result_size,
      'duration_ms', extract(epoch from t.duration) * 1000,
      'violation', left(t.violation, 1000), 'unknown', nullif(t.unknown, false)))
  from unnest(calls) as t
  where t.fate = 'half'
  order by t.run_id, t.call_id
  on conflict on constraint tool_call_pkey do update
  set known = coalesce(c.known, '{}') || excluded.known
  where c.tool = '?';
$$;

comment on function agentdb._hold_halves (agentdb.intake_call[]) is
  'Keeps what is known of calls of which nobody has told what was called.';


create or replace function agentdb._claim_calls (calls agentdb.intake_call[])
  returns agentdb.intake_call[]
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with fresh as (
    insert into agentdb.tool_call as c (
      run_id, call_id, agent_id, tool, began_at, ended_at, tool_call_log_id, ok
    )
    select t.run_id, t.call_id, t.agent_id, t.tool,
      t.recorded_at - coalesce(t.duration, '0'), t.recorded_at, t.tool_call_log_id, t.ok
    from unnest(calls) as t
    where t.fate = 'new' and t.call_id is not null
    order by t.run_id, t.call_id
    on conflict on constraint tool_call_pkey do update
    set tool = excluded.tool,
        ended_at = excluded.ended_at,
        tool_call_log_id = excluded.tool_call_log_id,
        ok = excluded.ok,
        args = null,
        known = null,
        run_outcome = null
    where c.ended_at is null or c.run_outcome is not null
    returning c.tool_call_log_id
  )
  -- One look into a hash, however many there are.
  select coalesce(array_agg(t order by t.happened_at, t.place), '{}')
  from unnest(calls) as t
  where t.fate = 'new'
    and (t.call_id is null
      or t.tool_call_log_id in (select f.tool_call_log_id from fresh as f));
$$;

comment on function agentdb._claim_calls (agentdb.intake_call[]) is
  'Takes the calls of a batch that nobody has recorded, and returns them.';


-- Where nobody tells the arguments nobody knows whether two calls are the same.
create or replace function agentdb._log_calls (
  calls agentdb.intake_call[],
  recorded_by text
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.tool_call_log (
    tool_call_log_id, run_id, agent_id, recorded_at, tool, args, ok, error, result_size,
    duration, call_id, call_signature, shape_signature, result_signature, recorded_by,
    happened_at
  )
  overriding system value
  select t.tool_call_log_id, t.run_id, t.agent_id, t.recorded_at, t.tool, t.args, t.ok,
    t.error, coalesce(t.result_size, length(t.result)), t.duration, t.call_id,
    case when t.args is not null then agentdb._call_signature(t.tool, t.args) end,
    case when t.args is not null then agentdb._shape_signature(t.tool, t.args) end,
    agentdb._result_signature(t.ok, t.result, t.error), _log_calls.recorded_by,
    t.happened_at
  from unnest(calls) with ordinality as t
  order by t.ordinality;
$$;

comment on function agentdb._log_calls (agentdb.intake_call[], text) is
  'Appends calls to tool_call_log.';


-- What a name is like takes milliseconds to find: it is looked for once a name, and for
-- a few, so that an agent whose tools have other names here delays nobody.
create or replace function agentdb._note_foreign_tools (calls agentdb.intake_call[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.tool_fault (run_id, tool_call_log_id, fault, detail)
  select h.run_id, h.tool_call_log_id, 'unknown',
    concat('There is no tool ', agentdb._clean_line(h.tool, 200), '.',
      '  Nearest: ' || max(h.nearest) over (partition by h.agent_id, h.tool) || '.')
  from (
    select f.*, case when f.name <= 20 and f.nth = 1
      then agentdb._nearest_tools(f.agent_id, f.tool) end as nearest
    from (
      select t.run_id, t.agent_id, t.tool_call_log_id, t.tool,
        dense_rank() over (order by t.agent_id, t.tool) as name,
        row_number() over (partition by t.agent_id, t.tool) as nth
      from unnest(calls) as t
      where not t.unknown
        and exists (select from agentdb.agent_tool as a where a.agent_id = t.agent_id)
        and not exists (
          select from agentdb.agent_tool as a
          where a.agent_id = t.agent_id and a.tool_name = t.tool)
        and not exists (
          select from agentdb.tool_alias as n
          join agentdb.agent_tool as a
            on a.tool_name = n.tool_name and a.agent_id = t.agent_id
          where n.alias = t.tool)
    ) as f
  ) as h;
$$;

comment on function agentdb._note_foreign_tools (agentdb.intake_call[]) is
  'Writes down which calls of a batch are of tools that their agents do not have.';


-- What an agent without a registry calls is judged by its emitter alone.
create or replace function agentdb._note_told_faults (calls agentdb.intake_call[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  -- Found when the call was recorded: in a file of the past that is then.
  insert into agentdb.tool_fault (
    run_id, tool_call_log_id, fault, detail, found_at
  )
  select t.run_id, t.tool_call_log_id, f.fault, agentdb._clean_text(f.detail, 1000),
    t.recorded_at
  from unnest(calls) as t
  cross join lateral (
    select 'unknown' as fault,
      coalesce(t.error, 'what called it has no such tool') as detail
    where t.unknown
    union all
    select 'invalid_args', t.violation where t.violation ~ '\S'
  ) as f
  where t.unknown or t.violation is not null;

  select agentdb._note_foreign_tools(calls);
$$;

comment on function agentdb._note_told_faults (agentdb.intake_call[]) is
  'Writes down what is wrong with the calls of a batch.';


create or replace function agentdb._note_late_failures (calls agentdb.intake_call[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  -- A log is not rewritten: that a call failed after all is a fault of it.
  insert into agentdb.tool_fault (run_id, tool_call_log_id, fault, detail)
  select c.run_id, c.tool_call_log_id, 'failed',
    coalesce(agentdb._clean_text(t.error, 1000), 'told later that it failed')
  from unnest(calls) as t
  cross join lateral (
    select o.run_id, o.tool_call_log_id, o.ok
    from agentdb.tool_call as o
    where o.run_id = t.run_id and o.call_id = t.call_id
    offset 0
  ) as c
  where t.fate = 'late' and not t.ok and c.ok
  on conflict on constraint tool_fault_pkey do nothing;
$$;

comment on function agentdb._note_late_failures (agentdb.intake_call[]) is
  'Writes down that calls failed of which somebody had told that they succeeded.';


create or replace function agentdb._record_calls (
  events agentdb.intake_event[],
  recorded_by text
)
  returns integer[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_calls agentdb.intake_call[] := agentdb._told_calls(events, recorded_by);
  v_fresh agentdb.intake_call[];
begin
  if v_calls = '{}' then
    return '{}';
  end if;
  perform agentdb._hold_halves(v_calls);
  v_fresh := agentdb._claim_calls(v_calls);
  perform agentdb._log_calls(v_fresh, recorded_by);
  perform agentdb._note_told_faults(v_fresh);
  perform agentdb._note_late_failures(v_calls);
  return array(
    select e.place
    from unnest(events) as e
    where e.status is null and e.kind in ('call', 'denied')
      and e.place not in (
        select f.place from unnest(v_fresh) as f
        union all
        select t.place from unnest(v_calls) as t where t.fate = 'half'));
end;
$$;

comment on function agentdb._record_calls (agentdb.intake_event[], text) is
  'Records the finished calls of a batch and returns the places of those that were '
  'recorded before.';
