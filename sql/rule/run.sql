-- Rules about runs: those that get nowhere, and ticks that do not end.

-- Waiting for what is known to take long is not standing still, but not for ever: a
-- call counts up to tool.longest and policy.max_long_call, whichever is less.  Of those
-- that ended the latest count: a run of a million calls is asked as often as any.
create or replace function agentdb._long_call_until (
  run bigint,
  max_long_call interval,
  as_of timestamptz
)
  returns timestamptz
  language sql
  stable
  return (
    select max(least(c.until, c.began_at + least(t.longest, max_long_call)))
    from (
      select f.tool, f.began_at, as_of as until
      from agentdb._call_in_flight(as_of) as f
      where f.run_id = run
      union all
      select e.tool, e.began_at, e.ended_at
      from (
        select l.call_id, l.tool
        from agentdb.tool_call_log as l
        where l.run_id = run
          and l.recorded_at <= as_of
          -- Asked once: few have such tools.
          and exists (select from agentdb.tool as k where k.longest is not null)
        order by l.tool_call_log_id desc
        limit 200
      ) as l
      join agentdb.tool_call as e on e.run_id = run and e.call_id = l.call_id
      where l.tool in (select k.tool_name from agentdb.tool as k
        where k.longest is not null)
    ) as c
    join agentdb.tool as t on t.tool_name = c.tool
    where t.longest is not null
  );

comment on function agentdb._long_call_until (bigint, interval, timestamptz) is
  'Until when a run was waiting for a call that is known to take long.';


-- Waiting for a reviewer is not standing still; from the decision on the run may go on.
create or replace function agentdb._review_until (run bigint, as_of timestamptz)
  returns timestamptz
  language sql
  stable
  return (
    select max(case when c.closed_at <= as_of then c.closed_at else as_of end)
    from agentdb.change as c
    where c.run_id = run and c.submitted_at <= as_of
  );

comment on function agentdb._review_until (bigint, timestamptz) is
  'Until when a run was waiting for somebody to decide what it proposed.';


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
      then greatest(agentdb._long_call_until(r.run_id, p.max_long_call, as_of),
        agentdb._review_until(r.run_id, as_of)) end as until
  ) as c
  where r.since < as_of - l.after
    and coalesce(c.until < as_of - l.after, true)
    and agentdb._owes_progress(r.run_id, as_of - l.after);
end;

comment on function agentdb.rule_no_progress (timestamptz) is
  'Open runs without evidence of progress for policy.no_progress_after, that of their '
  'agent''s schedule first; a call of a tool with tool.longest is waited for, as is '
  'the decision about a change.';


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
        'tick %s of %s has run for %s; the limit is %s',
        r.run_id, a.agent_name, agentdb._span(as_of - r.started_at),
        agentdb._span(p.long_tick_after)
      ),
      'policy', p.policy_name,
      'setting', 'long_tick_after',
      'threshold', extract(epoch from p.long_tick_after)
    )
  from agentdb._open_run(as_of) as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where r.tick_interval is not null
    and not agentdb._is_paused(r.run_id, as_of)
    and r.started_at < as_of - p.long_tick_after;
end;

comment on function agentdb.rule_long_tick (timestamptz) is
  'Runs with a tick interval that are open for longer than policy.long_tick_after.';


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
