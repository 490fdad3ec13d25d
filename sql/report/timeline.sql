-- The timeline: everything a run did, from all of its logs.

create or replace function agentdb._change_event (run bigint)
  returns table (at timestamptz, place bigint, what text, ok boolean, details jsonb)
  language sql
  stable
begin atomic
  select c.submitted_at, c.change_id,
    format('change %s staged: %s', c.change_id, c.reason), null::boolean, c.effects
  from agentdb.change as c
  where c.run_id = run and c.submitted_at is not null
  union all
  select d.decided_at, c.change_id,
    concat_ws(': ', format('change %s %s by %s', c.change_id,
      case d.decision when 'approve' then 'approved' else 'rejected' end,
      concat_ws(' by way of ', d.reviewer, d.by_way_of)),
      d.comment),
    d.decision = 'approve', null
  from agentdb.change as c
  join agentdb.change_decision as d on d.change_id = c.change_id
  where c.run_id = run
  union all
  select c.closed_at, c.change_id,
    concat_ws(': ', concat_ws(' ', 'change', c.change_id::text,
      case c.state when 'conflict' then 'ended in a conflict' else c.state end,
      'by ' || c.applied_by), c.problem ->> 'message'),
    c.state = 'applied', coalesce(c.problem, c.effects)
  from agentdb.change as c
  where c.run_id = run and c.closed_at is not null and c.state <> 'rejected';
end;

comment on function agentdb._change_event (bigint) is
  'What became of the changes that a run proposed, and when.';


create or replace function agentdb._write_told (run bigint, since timestamptz)
  returns table (at timestamptz, place bigint, what text, details jsonb)
  language sql
  stable
begin atomic
  select w.recorded_at, w.audit_log_id,
    concat_ws(' ', w.operation, g.table_name, w.row_key::text),
    coalesce(w.new_values, w.old_values)
  from agentdb.audit_log as w
  join agentdb.audit_target as g on g.audit_target_id = w.audit_target_id
  where w.run_id = run
    and w.recorded_at >= since;
end;

comment on function agentdb._write_told (bigint, timestamptz) is
  'The audited writes of a run.';


create or replace function agentdb._deed (run bigint, since timestamptz)
  returns table (
    at timestamptz, place bigint, kind text, what text, ok boolean, details jsonb
  )
  language sql
  stable
begin atomic
  select e.at, e.place, 'change', e.what, e.ok, e.details
  from agentdb._change_event(run) as e
  union all
  select k.recorded_at, k.stop_log_id, 'stop',
    format('%s by %s: %s', k.action, k.stopped_by, k.reason), null, k.details
  from agentdb.run as r
  join agentdb.stop_log as k
    on k.run_id = r.run_id
    -- Its agent was stopped meanwhile.
    or k.run_id is null
      and (k.agent_id = r.agent_id or k.agent_id is null)
      and k.recorded_at <= coalesce(r.ended_at, 'infinity')
  where r.run_id = run
    and k.recorded_at >= since
  union all
  select c.claimed_at, c.claim_id, 'claim',
    format('%s %s: %s', c.kind, c.target, c.state),
    case c.state when 'verified' then true when 'refuted' then false end, c.expectation
  from agentdb.claim as c
  where c.run_id = run
  union all
  select q.asked_at, q.question_id, 'question', q.question, null,
    jsonb_strip_nulls(jsonb_build_object('options', q.options, 'urgency', q.urgency))
  from agentdb.question as q
  where q.run_id = run
  union all
  select q.answered_at, q.question_id, 'answer',
    format('%s by %s', q.answer, q.answered_by), null,
    jsonb_strip_nulls(jsonb_build_object('comment', q.comment))
  from agentdb.question as q
  where q.run_id = run
    and q.answer is not null;
end;

comment on function agentdb._deed (bigint, timestamptz) is
  'The changes of a run, what operators did to it, what it claims and asks.';


-- A diagnosis is told once, not beside each of many calls that failed alike; the line
-- of the error is the agent's, and those below it are ours.
create or replace function agentdb._call_told (run bigint, since timestamptz)
  returns table (
    at timestamptz, place bigint, what text, ok boolean, details jsonb, recorded_by text
  )
  language sql
  stable
begin atomic
  select c.recorded_at, c.tool_call_log_id,
    concat(c.tool, ': ' || agentdb._one_line(c.error, 10000), case
      when d.diagnosis is distinct from
          lag(d.diagnosis) over (order by c.recorded_at, c.tool_call_log_id)
        then E'\n' || agentdb._diagnosis_text(d.diagnosis) end),
    c.ok, c.args, c.recorded_by
  from agentdb.tool_call_log as c
  left join agentdb.tool_diagnosis as d
    on d.run_id = c.run_id and d.tool_call_log_id = c.tool_call_log_id
  where c.run_id = run
    and c.recorded_at >= since;
end;

comment on function agentdb._call_told (bigint, timestamptz) is
  'The tool calls of a run with their errors, and what was found out about them.';


create or replace function agentdb._used (call agentdb.token_log)
  returns jsonb
  language sql
  immutable
  return jsonb_build_object('input', (call).input_tokens,
      'cached_input', (call).cached_input_tokens, 'output', (call).output_tokens)
      - coalesce((call).untold, '{}')
    || jsonb_strip_nulls(jsonb_build_object('cost', (call).cost,
      'input_cost', (call).input_cost, 'cached_input_cost', (call).cached_input_cost,
      'output_cost', (call).output_cost));

comment on function agentdb._used (agentdb.token_log) is
  'What a model call used, and what of it is known to have cost.';


-- Of a run below another only what names its own thread; the latest thousand, since
-- anybody can say any number of things.
create or replace function agentdb._unproven_told (run bigint)
  returns table (
    at timestamptz, place bigint, what text, details jsonb, recorded_by text
  )
  language sql
  stable
begin atomic
  select u.recorded_at, u.unproven_log_id, concat_ws(' ', u.kind, u.what), u.event,
    u.recorded_by
  from agentdb.run as r
  join agentdb.unproven_log as u
    on u.agent_id = r.agent_id
    and u.conversation = r.conversation
    and u.recorded_at between r.started_at and coalesce(r.ended_at, 'infinity')
  left join agentdb.intake_session as s on s.run_id = r.run_id
  where r.run_id = run
    and (r.parent_run_id is null or r.opened_by is null or u.thread = s.thread)
  order by u.unproven_log_id desc
  limit 1000;
end;

comment on function agentdb._unproven_told (bigint) is
  'What was said of the conversation of a run, while it was open, without proof.';


create or replace function agentdb._logged (run bigint, since timestamptz)
  returns table (
    at timestamptz, place bigint, kind text, what text, ok boolean, tokens bigint,
    details jsonb, recorded_by text
  )
  language sql
  stable
begin atomic
  select p.recorded_at, p.progress_log_id, 'progress', p.step, null::boolean,
    null::bigint, p.details, p.recorded_by
  from agentdb.progress_log as p
  where p.run_id = run and p.recorded_at >= since
  union all
  select c.at, c.place, 'tool call', c.what, c.ok, null, c.details, c.recorded_by
  from agentdb._call_told(run, since) as c
  union all
  select t.recorded_at, t.token_log_id, 'tokens', coalesce(t.model, 'model call'), null,
    t.input_tokens + t.cached_input_tokens + t.output_tokens, agentdb._used(t),
    t.recorded_by
  from agentdb.token_log as t
  where t.run_id = run and t.recorded_at >= since;
end;

comment on function agentdb._logged (bigint, timestamptz) is
  'The steps, tool calls and tokens of a run.';


-- Who killed it is an event of its own.
create or replace function agentdb._course (run bigint)
  returns table (
    at timestamptz, place bigint, kind text, what text, ok boolean, details jsonb,
    recorded_by text
  )
  language sql
  stable
begin atomic
  select r.started_at, 0::bigint, 'start',
    concat(coalesce(r.purpose, 'run began'),
      ' (says it works for ' || r.on_behalf_of || ')'),
    null::boolean, null::jsonb, r.opened_by
  from agentdb.run as r
  where r.run_id = run
  union all
  select c.began_at, 0,
    case when c.ended_at is null then 'in flight' else 'unfinished' end,
    c.tool, null, c.args, null
  from agentdb.tool_call as c
  where c.run_id = run
    and (c.ended_at is null or c.run_outcome is not null)
  union all
  select l.recorded_at, l.alert_log_id, 'alert',
    concat(format('A-%s %s %s', a.alert_id, a.rule_name, l.to_state),
      ': ' || l.comment), null, a.labels, null
  from agentdb.run as r
  join agentdb.alert as a on a.labels ->> 'run' = r.run_id::text
  join agentdb.alert_log as l
    on l.alert_id = a.alert_id and l.recorded_at >= r.started_at
  where r.run_id = run
  union all
  select r.ended_at, 9223372036854775807, 'end',
    concat_ws(': ', agentdb._run_state(r.run_id, r.outcome),
      case when r.outcome <> 'killed' then r.end_reason end, r.summary),
    agentdb._run_state(r.run_id, r.outcome) = 'succeeded', nullif(r.released, '{}'),
    null
  from agentdb.run as r
  where r.run_id = run
    and r.ended_at is not null;
end;

comment on function agentdb._course (bigint) is
  'The start of a run, its calls that have not ended, its alerts, and its end.';


-- Events of the same instant keep the order in which they were logged.
create or replace function agentdb.timeline (run bigint)
  returns table (
    at timestamptz, kind text, what text, ok boolean, tokens bigint, details jsonb,
    recorded_by text
  )
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with span as (
    select r.run_id, r.started_at from agentdb.run as r where r.run_id = timeline.run
  ),
  event (at, place, kind, what, ok, tokens, details, recorded_by) as (
    select c.at, c.place, c.kind, c.what, c.ok, null::bigint, c.details, c.recorded_by
    from agentdb._course(timeline.run) as c
    union all
    select t.at, t.place, t.kind, t.what, t.ok, t.tokens, t.details, t.recorded_by
    from span as s
    cross join lateral agentdb._logged(s.run_id, s.started_at) as t
    union all
    select w.at, w.place, 'write', w.what, null, null, w.details, null
    from span as s
    cross join lateral agentdb._write_told(s.run_id, s.started_at) as w
    union all
    select d.at, d.place, d.kind, d.what, d.ok, null, d.details, null
    from span as s
    cross join lateral agentdb._deed(s.run_id, s.started_at) as d
    union all
    select u.at, u.place, 'unproven', u.what, null, null, u.details, u.recorded_by
    from agentdb._unproven_told(timeline.run) as u
  )
  select e.at, e.kind, e.what, e.ok, e.tokens, e.details, e.recorded_by
  from event as e
  order by e.at, e.place;
$$;

comment on function agentdb.timeline (bigint) is
  'Everything a run did, in order: steps, tool calls, calls in flight or unfinished, '
  'tokens, audited '
  'writes, alerts, stops, its end, each with who recorded it where that was not the '
  'agent''s own session; and what was said of it without proof.';
