-- Rules about runs: those that get nowhere, and ticks that do not end.

-- Of a session that an emitter tells of nobody knows whether it waits for a person: it
-- owes progress while it is at work, and where its emitter tells steps at all.
create or replace function agentdb._owes_progress (run bigint, since timestamptz)
  returns boolean
  language sql
  stable
  return (
    select r.opened_by is null
      or agentdb._last_event_at(r.run_id, since) > since
        and exists (select from agentdb.progress_log as s where s.run_id = r.run_id)
    from agentdb.run as r
    where r.run_id = run
  );

comment on function agentdb._owes_progress (bigint, timestamptz) is
  'Whether a run that shows no progress since a moment may be said to stand still.';


create or replace function agentdb.rule_no_progress (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'run', r.run_id::text),
    extract(epoch from as_of - greatest(r.since, c.until))::double precision,
    jsonb_build_object(
      'summary', format(
        'run %s of %s has shown no progress for %s (no new step, no audited write); '
          'the limit is %s',
        r.run_id, a.agent_name, agentdb._span(as_of - greatest(r.since, c.until)),
        agentdb._span(l.after)
      ),
      'policy', p.policy_name,
      'setting', 'no_progress_after',
      'threshold', extract(epoch from l.after),
      'since', greatest(r.since, c.until)
    )
  from agentdb._working_run(as_of) as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  left join agentdb.schedule as s on s.agent_id = a.agent_id
  cross join lateral (
    select coalesce(s.no_progress_after, p.no_progress_after) as after
  ) as l
  cross join lateral (
    -- Of those that are late alone: it reads their calls.
    select case when r.since < as_of - l.after
      then agentdb._waiting_until(r.run_id, r.since, p, as_of) end as until
  ) as c
  where r.since < as_of - l.after
    and coalesce(c.until < as_of - l.after, true)
    and agentdb._owes_progress(r.run_id, as_of - l.after);
end;

comment on function agentdb.rule_no_progress (timestamptz) is
  'Open runs without evidence of progress for policy.no_progress_after, that of their '
  'agent''s schedule first; waiting for others is none (_waiting_until).';


create or replace view agentdb.no_progress as
  select r.labels, r.value, r.annotations
  from agentdb.rule_no_progress(statement_timestamp()) as r;

comment on view agentdb.no_progress is
  'Rule: open runs that show no evidence of progress for too long.';

select agentdb._declare_rule(
  rule_name => 'no_progress',
  severity => 'warning',
  health => 'stuck',
  why => 'An agent can be online, burn tokens and reach nothing.',
  evidence => $$
    select at, kind, what, ok, tokens
    from agentdb.timeline((:labels ->> 'run')::bigint)
    order by at desc limit 10
  $$,
  ends_when => 'run {run} shows a new step or an audited write, or ends',
  remedy => $$
    See what it does instead; stop it if nothing will come of it.
    agentdb timeline {run}
    agentdb kill {run} --reason …
  $$,
  ends_with_run => true
);


create or replace function agentdb.rule_long_tick (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'run', r.run_id::text),
    extract(epoch from as_of - r.started_at)::double precision,
    jsonb_build_object(
      'summary', format(
        'tick %s of %s has run for %s%s; the limit is %s',
        r.run_id, a.agent_name, agentdb._span(as_of - r.started_at),
        case when not w.still then ' and gets on' end,
        agentdb._span(l.after)
      ),
      'severity', case when w.still then 'warning' else 'info' end,
      'policy', p.policy_name,
      'setting', 'long_tick_after',
      'threshold', extract(epoch from l.after)
    )
  from agentdb._open_run(as_of) as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral (
    select case when r.tick_max is null then p.long_tick_after
      else least(r.tick_max, p.max_long_call) end as after
  ) as l
  -- Who waits, or got somewhere lately, only takes long.
  left join lateral (
    select k.since from agentdb._working_run(as_of) as k
    where k.run_id = r.run_id and r.started_at < as_of - l.after
  ) as k on true
  cross join lateral (
    select coalesce(greatest(k.since,
      case when k.since < as_of - p.no_progress_after
        then agentdb._waiting_until(r.run_id, k.since, p, as_of) end)
      < as_of - p.no_progress_after, false) as still
  ) as w
  where r.tick_interval is not null
    and not agentdb._is_paused(r.run_id, as_of)
    and r.started_at < as_of - l.after
  union all
  select u.labels, u.value, u.annotations
  from agentdb._unusual_tick(as_of) as u;
end;

comment on function agentdb.rule_long_tick (timestamptz) is
  'Runs with a tick interval that are open for longer than they said (tick_max), else '
  'than policy.long_tick_after; a notice while they get on, and before that where '
  'they take far longer than usual.';


create or replace view agentdb.long_tick as
  select r.labels, r.value, r.annotations
  from agentdb.rule_long_tick(statement_timestamp()) as r;

comment on view agentdb.long_tick is
  'Rule: ticks that take too long and block or overlap the next.';

select agentdb._declare_rule(
  rule_name => 'long_tick',
  severity => 'warning',
  health => 'stuck',
  why => 'A tick that does not end delays or overlaps the next.',
  evidence => $$
    select at, kind, what, ok, tokens
    from agentdb.timeline((:labels ->> 'run')::bigint)
    order by at desc limit 10
  $$,
  ends_when => 'run {run} ends or is stopped',
  remedy => $$
    See what the tick is at; stop it if the next one is more useful.
    agentdb timeline {run}
    agentdb kill {run} --reason …
  $$,
  ends_with_run => true
);
