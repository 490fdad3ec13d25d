-- Reports: what a person asks first.  The command line prints these; psql can too.

create or replace view agentdb.run_summary as
  select
    r.run_id, a.agent_name, r.role_name, r.conversation, r.purpose,
    agentdb._run_state(r.run_id, r.outcome) as state,
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
    coalesce(v.input_cost, 0) as input_cost,
    coalesce(v.cached_input_cost, 0) as cached_input_cost,
    coalesce(v.output_cost, 0) as output_cost,
    r.summary, r.instance, r.parent_run_id, r.end_reason, r.released,
    r.on_behalf_of,
    -- A run that an emitter opened was started by whom that emitter says.
    case when r.parent_run_id is null then null
      when r.opened_by is null then 'proven' else 'claimed' end as parent_is
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
  'running, or the outcome: succeeded, failed, cancelled, abandoned, crashed, '
  'replaced, killed; unverified for a success with a claim that is not verified.';
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
  'What its model calls cost, in the currency of the caller, as far as anybody knows.';
comment on column agentdb.run_summary.input_cost is
  'Of it the input that came from no cache.';
comment on column agentdb.run_summary.cached_input_cost is
  'Of it the input from the provider''s cache.';
comment on column agentdb.run_summary.output_cost is
  'Of it the output; what was said as a total alone is in none of the three.';
comment on column agentdb.run_summary.summary is
  'What the agent said at its end.';
comment on column agentdb.run_summary.instance is
  'Which of the agent''s processes it is, as it said.';
comment on column agentdb.run_summary.parent_run_id is
  'The run that started it.';
comment on column agentdb.run_summary.end_reason is
  'What was seen, or by whom, where it did not end itself.';
comment on column agentdb.run_summary.released is
  'What its end released: count and names of locks, slots, calls, changes, questions '
  'and waits, reservations with their tokens; kept_locks stay until they expire.';
comment on column agentdb.run_summary.on_behalf_of is
  'For whom it works, as its agent said, else for whom the run that started it, proven '
  'by a spawn token: a user, a ticket.';
comment on column agentdb.run_summary.parent_is is
  'proven by a spawn token, or claimed by what reports the run: then one of the same '
  'conversation, whose words are not inherited.';


create or replace view agentdb.active_alert as
  select
    a.alert_id, a.rule_name, a.severity, a.state, a.labels, a.value,
    coalesce(a.annotations ->> 'summary', a.rule_name) as summary,
    coalesce(a.firing_at, a.active_at) as since,
    clock_timestamp() - coalesce(a.firing_at, a.active_at) as age,
    a.annotations,
    case when a.acknowledged_until > clock_timestamp() then a.acknowledged_by end
      as acknowledged_by,
    (
      select min(s.silence_id)
      from agentdb.silenced_alert as m
      join agentdb.silence as s on s.silence_id = m.silence_id
      where m.alert_id = a.alert_id
        and s.ends_at > clock_timestamp()
    ) as silence_id,
    agentdb._for_whom(a.labels) as on_behalf_of
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
comment on column agentdb.active_alert.acknowledged_by is
  'Who sees to it.';
comment on column agentdb.active_alert.silence_id is
  'The silence under which it fires.';
comment on column agentdb.active_alert.on_behalf_of is
  'For whom its run works, as the agent said: a claim.';


-- The numbers of the calls that an alert names, and nothing else of its annotations.
create or replace function agentdb._calls_of (annotations jsonb)
  returns bigint[]
  language sql
  immutable
  return array(
    select c.id::text::bigint
    from jsonb_path_query(annotations, 'lax $.calls[*]') as c (id)
    where c.id::text ~ '^[0-9]{1,18}$'
  );

comment on function agentdb._calls_of (jsonb) is
  'The rows of tool_call_log that an alert''s annotations name.';


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
      replace(
        coalesce(r.evidence_query, format('select * from %s', r.view_name)),
        ':calls', quote_literal(agentdb._calls_of(a.annotations)) || '::bigint[]'
      ),
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
