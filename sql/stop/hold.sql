-- Holds: a run that waits on purpose says so, and is not stuck for as long as it said.

create or replace function agentdb.hold_run (
  until timestamptz,
  reason text,
  run bigint default null
)
  returns table (run_id bigint, held_until timestamptz)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_max interval;
begin
  perform agentdb._check_said(reason, 'reason');
  select c.run_id, p.max_hold into hold_run.run_id, v_max
  from agentdb._current_run(hold_run.run) as c
  join agentdb.agent as a on a.agent_id = c.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name;
  if until is null or until <= clock_timestamp()
    or until > clock_timestamp() + v_max then
    perform agentdb._refuse(
      format('until must be within the next %s, got %s', agentdb._span(v_max),
        coalesce(until::text, 'NULL')),
      'Hold for less, and hold again if the waiting is not over: select * from '
        'agentdb.hold_run(until => now() + interval ''30 min'', reason => ''CI runs'');'
    );
  end if;
  update agentdb.run as r
  set held_until_at = until,
      hold_reason = agentdb._clean_text(hold_run.reason, 500)
  where r.run_id = hold_run.run_id
  returning r.held_until_at into hold_run.held_until;
  perform agentdb._log_stop(r.agent_id, r.run_id, 'hold', hold_run.reason,
    jsonb_build_object('until', until))
  from agentdb.run as r where r.run_id = hold_run.run_id;
  return next;
end;
$$;

comment on function agentdb.hold_run (timestamptz, text, bigint) is
  'Says that the run waits on purpose until a moment, at most policy.max_hold away: '
  'it is not '
  'taken for stuck until then; raises ZA001, ZA003 or ZA004.';


create or replace function agentdb.rule_overdue_hold (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'run', r.run_id::text),
    extract(epoch from as_of - r.held_until_at)::double precision,
    jsonb_build_object(
      'summary', format(
        'run %s of %s was to wait until %s ago (%s) and has done nothing since',
        r.run_id, a.agent_name, agentdb._span(as_of - r.held_until_at), r.hold_reason
      ),
      'policy', p.policy_name,
      'setting', 'missed_tick_grace',
      'threshold', extract(epoch from p.missed_tick_grace)
    )
  from agentdb._open_run(as_of) as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  -- The first of these is asked before the rest, of every run.
  where r.held_until_at < as_of
    and r.held_until_at < as_of - p.missed_tick_grace
    and not agentdb._is_paused(r.run_id, as_of)
    and agentdb._last_event_at(r.run_id, r.started_at) < r.held_until_at;
end;

comment on function agentdb.rule_overdue_hold (timestamptz) is
  'Runs whose hold is over by policy.missed_tick_grace and that have logged nothing '
  'since.';


create or replace view agentdb.overdue_hold as
  select r.labels, r.value, r.annotations
  from agentdb.rule_overdue_hold(statement_timestamp()) as r;

comment on view agentdb.overdue_hold is
  'Rule: runs that said they would wait and did not go on.';

select agentdb._declare_rule(
  rule_name => 'overdue_hold',
  severity => 'warning',
  health => 'stuck',
  why => 'A run that said it would wait has not come back.',
  evidence => $$
    select r.run_id, r.held_until_at, r.hold_reason, r.started_at
    from agentdb.run as r
    where r.run_id = (:labels ->> 'run')::bigint
  $$,
  ends_when => 'run {run} goes on or ends',
  remedy => $$
    The process of the run may be gone: start it again, or stop the run.
    agentdb timeline {run}
    agentdb kill {run} --reason …
  $$,
  ends_with_run => true
);
