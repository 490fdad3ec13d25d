-- Reports: what a person asks first.  The command line prints these; psql can too.

create or replace view agentdb.run_summary as
  select
    r.run_id, a.agent_name, r.role_name, r.conversation, r.purpose,
    coalesce(r.outcome, 'running') as state,
    r.started_at, r.ended_at,
    coalesce(r.ended_at, clock_timestamp()) - r.started_at as took,
    v.last_progress_at, v.last_step,
    coalesce(v.steps, 0) as steps,
    coalesce(v.tool_calls, 0) as tool_calls,
    coalesce(v.tool_errors, 0) as tool_errors,
    coalesce(v.input_tokens, 0) as input_tokens,
    coalesce(v.cached_input_tokens, 0) as cached_input_tokens,
    coalesce(v.output_tokens, 0) as output_tokens,
    coalesce(v.cost, 0) as cost,
    r.summary
  from agentdb.run as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  left join agentdb.run_activity as v on v.run_id = r.run_id;

comment on view agentdb.run_summary is
  'Each run with its agent, state and what it has used, as of the last roll-up '
  '(seconds ago while a runner is alive).';


comment on column agentdb.run_summary.run_id is
  'The run''s number.';
comment on column agentdb.run_summary.agent_name is
  'Whose run it is.';
comment on column agentdb.run_summary.role_name is
  'The login role that opened it.';
comment on column agentdb.run_summary.conversation is
  'The scope of the token budget.';
comment on column agentdb.run_summary.purpose is
  'What the agent said the run is for.';
comment on column agentdb.run_summary.state is
  'running, or the outcome: succeeded, failed, cancelled, abandoned.';
comment on column agentdb.run_summary.started_at is
  'When it began.';
comment on column agentdb.run_summary.ended_at is
  'When it ended.';
comment on column agentdb.run_summary.took is
  'How long it took, or has taken so far.';
comment on column agentdb.run_summary.last_progress_at is
  'When it last reached a step.';
comment on column agentdb.run_summary.last_step is
  'The step.';
comment on column agentdb.run_summary.steps is
  'How many steps it logged.';
comment on column agentdb.run_summary.tool_calls is
  'How many tool calls it finished.';
comment on column agentdb.run_summary.tool_errors is
  'How many of them failed.';
comment on column agentdb.run_summary.input_tokens is
  'Input tokens that did not come from a cache.';
comment on column agentdb.run_summary.cached_input_tokens is
  'Input tokens from the provider''s cache.';
comment on column agentdb.run_summary.output_tokens is
  'Output tokens, reasoning included.';
comment on column agentdb.run_summary.cost is
  'What its model calls cost, in the currency of the caller.';
comment on column agentdb.run_summary.summary is
  'What the agent said at its end.';


create or replace view agentdb.active_alert as
  select
    a.alert_id, a.rule_name, a.severity, a.state, a.labels, a.value,
    coalesce(a.annotations ->> 'summary', a.rule_name) as summary,
    coalesce(a.firing_at, a.active_at) as since,
    clock_timestamp() - coalesce(a.firing_at, a.active_at) as age,
    a.annotations
  from agentdb.alert as a
  where a.state in ('pending', 'firing');

comment on view agentdb.active_alert is
  'Alerts that are pending or firing now.';


comment on column agentdb.active_alert.alert_id is
  'The number, shown as A-41.';
comment on column agentdb.active_alert.rule_name is
  'The rule that has the row.';
comment on column agentdb.active_alert.severity is
  'info, warning or critical.';
comment on column agentdb.active_alert.state is
  'pending or firing.';
comment on column agentdb.active_alert.labels is
  'What tells the alert from others of its rule.';
comment on column agentdb.active_alert.value is
  'How bad it is, in the rule''s unit.';
comment on column agentdb.active_alert.summary is
  'The alert in a sentence.';
comment on column agentdb.active_alert.since is
  'When it began to fire, or to be pending.';
comment on column agentdb.active_alert.age is
  'How long ago that was.';
comment on column agentdb.active_alert.annotations is
  'More about it, such as policy and threshold.';


-- Events of the same instant keep the order in which they were logged.
create or replace function agentdb.timeline (run bigint)
  returns table (
    at timestamptz, kind text, what text, ok boolean, tokens bigint, details jsonb
  )
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with span as (
    select r.run_id, r.started_at, r.ended_at, r.outcome, r.summary, r.purpose
    from agentdb.run as r
    where r.run_id = timeline.run
  ),
  event (at, place, kind, what, ok, tokens, details) as (
    select s.started_at, 0::bigint, 'start', coalesce(s.purpose, 'run began'),
      null::boolean, null::bigint, null::jsonb
    from span as s
    union all
    select p.recorded_at, p.progress_log_id, 'progress', p.step, null, null, p.details
    from span as s
    join agentdb.progress_log as p
      on p.run_id = s.run_id and p.recorded_at >= s.started_at
    union all
    select c.recorded_at, c.tool_call_log_id, 'tool call',
      c.tool || coalesce(': ' || c.error, ''), c.ok, null, c.args
    from span as s
    join agentdb.tool_call_log as c
      on c.run_id = s.run_id and c.recorded_at >= s.started_at
    union all
    select c.began_at, 0, 'in flight', c.tool, null, null, c.args
    from span as s
    join agentdb.tool_call as c on c.run_id = s.run_id and c.ended_at is null
    union all
    select t.recorded_at, t.token_log_id, 'tokens',
      coalesce(t.model, 'model call'), null,
      t.input_tokens + t.cached_input_tokens + t.output_tokens,
      jsonb_build_object('input', t.input_tokens, 'cached_input', t.cached_input_tokens,
        'output', t.output_tokens)
    from span as s
    join agentdb.token_log as t
      on t.run_id = s.run_id and t.recorded_at >= s.started_at
    union all
    select l.recorded_at, l.alert_log_id, 'alert',
      format('A-%s %s %s', a.alert_id, a.rule_name, l.to_state), null, null, a.labels
    from span as s
    join agentdb.alert as a on a.labels ->> 'run' = s.run_id::text
    join agentdb.alert_log as l
      on l.alert_id = a.alert_id and l.recorded_at >= s.started_at
    union all
    select s.ended_at, 9223372036854775807, 'end',
      concat_ws(': ', s.outcome, s.summary), s.outcome = 'succeeded', null, null
    from span as s
    where s.ended_at is not null
  )
  select e.at, e.kind, e.what, e.ok, e.tokens, e.details
  from event as e
  order by e.at, e.place;
$$;

comment on function agentdb.timeline (bigint) is
  'Everything a run did, in order: steps, tool calls, calls in flight, tokens, '
  'alerts, its end.';


-- Labels are put in last: what they hold is never looked through for placeholders.
create or replace function agentdb.evidence_query (alert bigint)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
  select replace(
    replace(
      coalesce(r.evidence_query, format('select * from %s', r.view_name)),
      ':at', quote_literal(a.seen_at) || '::timestamptz'
    ),
    ':labels', quote_literal(a.labels) || '::jsonb'
  )
  from agentdb.alert as a
  join agentdb.alert_rule as r on r.rule_name = a.rule_name
  where a.alert_id = evidence_query.alert;
$$;

comment on function agentdb.evidence_query (bigint) is
  'The statement that shows the rows which tripped an alert''s rule, as they were '
  'when it was last seen.';


create or replace view agentdb.health_check as
  select 'runner' as check_name,
    case
      when count(*) filter (where h.healthy) > 0 then 'ok'
      else 'critical'
    end as state,
    case
      when count(*) = 0
        then 'no runner has ever reported: nobody is alerted; start agentdb run'
      when count(*) filter (where h.healthy) = 0 then format(
        'no runner works: the last was heard %s ago; start agentdb run',
        agentdb._span(min(h.silent_for)))
      else format('%s of %s runners work', count(*) filter (where h.healthy), count(*))
    end as detail
  from agentdb.runner_health as h
  union all
  select 'rules',
    case
      when count(*) filter (where r.failures > 0) > 0 then 'critical'
      when coalesce(bool_or(
        coalesce(r.evaluated_at, r.next_evaluation_at)
          < clock_timestamp() - 3 * r.evaluate_every - interval '30 seconds'
      ), true) then 'critical'
      else 'ok'
    end,
    coalesce(
      'failing: ' || string_agg(r.rule_name, ', ' order by r.rule_name)
        filter (where r.failures > 0),
      format('%s rules; the oldest answer is %s old', count(*),
        coalesce(
          agentdb._span(clock_timestamp() - min(r.evaluated_at)), 'unknown'))
    )
  from agentdb.alert_rule as r
  where r.enabled
  union all
  select 'alerts',
    case
      when count(*) filter (where a.state = 'firing' and a.severity = 'critical') > 0
        then 'critical'
      when count(*) filter (where a.state = 'firing' and a.severity = 'warning') > 0
        then 'warning'
      else 'ok'
    end,
    format('%s firing (%s critical), %s pending',
      count(*) filter (where a.state = 'firing'),
      count(*) filter (where a.state = 'firing' and a.severity = 'critical'),
      count(*) filter (where a.state = 'pending'))
  from agentdb.active_alert as a
  union all
  select 'delivery',
    case
      when count(*) filter (where n.state = 'dead') > 0
        or min(n.created_at) filter (where n.state = 'queued')
          < clock_timestamp() - interval '5 minutes' then 'critical'
      when count(*) filter (where n.state = 'queued' and n.attempt > 1) > 0
        then 'warning'
      else 'ok'
    end,
    format('%s waiting, %s given up in a day',
      count(*) filter (where n.state = 'queued'),
      count(*) filter (where n.state = 'dead'))
  from agentdb.notification as n
  where n.state = 'queued'
    or (n.state = 'dead' and n.finished_at > clock_timestamp() - interval '1 day')
  union all
  select 'runs', 'ok', format('%s open', count(*))
  from agentdb.run as r
  where r.ended_at is null
  union all
  select 'roll-up',
    case
      when s.rolled_at > clock_timestamp() - interval '1 minute' then 'ok'
      else 'warning'
    end,
    case s.rolled_at
      when '-infinity' then 'the totals of runs were never made'
      else format('the totals of runs are %s old',
        agentdb._span(clock_timestamp() - s.rolled_at))
    end
  from agentdb.roll_up_state as s
  union all
  select 'partitions',
    case when min(p.ahead) >= 1 then 'ok' else 'warning' end,
    format('prepared for the next %s days', greatest(min(p.ahead), 0))
  from (
    select coalesce(
      max(l.day) - (clock_timestamp() at time zone 'UTC')::date, 0) as ahead
    from agentdb.log_partition as l
    group by l.log_name
  ) as p;

comment on view agentdb.health_check is
  'One row a question: does alerting work, what fires, is delivery healthy; states '
  'ok, warning, critical.';
comment on column agentdb.health_check.check_name is
  'What was asked.';
comment on column agentdb.health_check.state is
  'ok, warning or critical.';
comment on column agentdb.health_check.detail is
  'The answer in words.';
