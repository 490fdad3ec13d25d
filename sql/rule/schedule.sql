-- Schedules: when an agent is expected to start.  Cron expressions and time zones are
-- read by the runner, with a library that knows daylight saving; the database keeps the
-- next start as a moment, and judges by it.

-- A start counts from a minute before its moment on, for clocks differ, and only once:
-- what somebody starts by hand earlier is not the tick.
create or replace function agentdb._meeting_start (
  agent bigint,
  due_at timestamptz,
  met_at timestamptz,
  grace interval,
  as_of timestamptz
)
  returns timestamptz
  language sql
  stable
  return (
    select max(r.started_at)
    from agentdb.run as r
    where r.agent_id = agent
      and r.started_at >= due_at - least(grace, '1 minute')
      and r.started_at > coalesce(met_at, '-infinity')
      and r.started_at <= as_of
  );

comment on function agentdb._meeting_start (
  bigint, timestamptz, timestamptz, interval, timestamptz) is
  'When the latest run began that met a scheduled start; NULL where none did.';


-- A stopped agent misses nothing: its schedule goes on from now.
create or replace function agentdb.unset_schedule ()
  returns table (
    agent_id bigint, cron text, time_zone text, after_at timestamptz,
    met_at timestamptz
  )
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select s.agent_id, s.cron, s.time_zone,
    case
      when m.at is not null then greatest(m.at, s.due_at)
      else clock_timestamp()
    end,
    coalesce(m.at, s.met_at)
  from agentdb.schedule as s
  join agentdb.agent as a on a.agent_id = s.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral agentdb._meeting_start(s.agent_id, s.due_at, s.met_at,
    coalesce(s.grace, p.missed_tick_grace), clock_timestamp()) as m (at)
  where s.cron is not null
    and (
      (s.due_at is null and s.error is null)
      or m.at is not null
      or (s.due_at < clock_timestamp() and exists (
        select from agentdb.agent_stop as t where t.agent_id = s.agent_id))
    );
$$;

comment on function agentdb.unset_schedule () is
  'Schedules whose next start a runner has to reckon, and the moment after which.';


create or replace function agentdb.set_due (
  agent_id bigint,
  cron text,
  time_zone text,
  due_at timestamptz,
  met_at timestamptz,
  error text
)
  returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  -- Whoever has changed the expression meanwhile wants another answer.
  update agentdb.schedule as s
  set due_at = set_due.due_at,
      met_at = set_due.met_at,
      error = agentdb._clean_text(set_due.error, 500)
  where s.agent_id = set_due.agent_id
    and s.cron = set_due.cron
    and s.time_zone = set_due.time_zone;
  return found;
end;
$$;

comment on function agentdb.set_due (
  bigint, text, text, timestamptz, timestamptz, text) is
  'Stores the next start of a schedule, or why its expression cannot be read; false '
  'where the schedule has changed meanwhile.';


create or replace function agentdb._forget_due ()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  new.due_at := null;
  new.error := null;
  return new;
end;
$$;

comment on function agentdb._forget_due () is
  'Trigger function: a schedule that is changed has no next start until a runner has '
  'read it.';


create or replace trigger agentdb_forget_due
  before update of cron, time_zone
  on agentdb.schedule
  for each row
  when (old.cron is distinct from new.cron
    or old.time_zone is distinct from new.time_zone)
  execute function agentdb._forget_due();


-- Cron where the agent has one; else the interval that its last run promised, or that
-- its schedule has.  One alert an agent, however many starts it goes on missing.
create or replace function agentdb._expected_start (as_of timestamptz)
  returns table (
    agent_id bigint, due_at timestamptz, rhythm text, run_id bigint, error text
  )
  language sql
  stable
begin atomic
  select
    s.agent_id, s.due_at, format('it starts at %s %s', s.cron, s.time_zone),
    null::bigint, s.error
  from agentdb.schedule as s
  join agentdb.agent as a on a.agent_id = s.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where s.cron is not null
    and (s.error is not null
      or (s.due_at < as_of
        and agentdb._meeting_start(s.agent_id, s.due_at, s.met_at,
          coalesce(s.grace, p.missed_tick_grace), as_of) is null))
  union all
  select
    a.agent_id,
    -- Nobody is late who waits on purpose, or was stopped until then.
    greatest(r.started_at + coalesce(r.tick_interval, s.tick_interval),
      r.held_until_at),
    format('it comes every %s',
      agentdb._span(coalesce(r.tick_interval, s.tick_interval))),
    r.run_id, null
  from agentdb.agent as a
  left join agentdb.schedule as s on s.agent_id = a.agent_id
  cross join lateral (
    select l.run_id, l.started_at, l.tick_interval, l.held_until_at
    from agentdb.run as l
    where l.agent_id = a.agent_id
      and l.started_at <= as_of
    order by l.started_at desc
    limit 1
  ) as r
  where s.cron is null
    and coalesce(r.tick_interval, s.tick_interval) is not null;
end;

comment on function agentdb._expected_start (timestamptz) is
  'The start that each scheduled agent is waited for at a moment.';


create or replace function agentdb.rule_missed_tick (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name),
    extract(epoch from as_of - e.due_at)::double precision,
    jsonb_build_object(
      'summary', case
        when e.error is not null then format(
          'the schedule of %s cannot be read, so nobody waits for it: %s',
          a.agent_name, e.error)
        else format('the tick of %s is %s late, %s of grace included; %s',
          a.agent_name, agentdb._span(as_of - e.due_at),
          agentdb._span(coalesce(s.grace, p.missed_tick_grace)), e.rhythm)
      end,
      'policy', p.policy_name,
      'setting', 'missed_tick_grace',
      'threshold', extract(epoch from coalesce(s.grace, p.missed_tick_grace)),
      'since', e.due_at,
      'run', e.run_id
    )
  from agentdb._expected_start(as_of) as e
  join agentdb.agent as a on a.agent_id = e.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  left join agentdb.schedule as s on s.agent_id = a.agent_id
  where (e.error is not null
      or e.due_at + coalesce(s.grace, p.missed_tick_grace) < as_of)
    and not exists (
      select from agentdb.agent_stop as t
      where t.agent_id = a.agent_id and t.stopped_at <= as_of
    )
    -- Who is still at work on the tick before is not missing: long_tick reports it.
    and not exists (
      select from agentdb._working_run(as_of) as w
      join agentdb.run as r on r.run_id = w.run_id
      where w.agent_id = a.agent_id
        and greatest(w.since, agentdb._waiting_until(w.run_id, w.since, p, as_of))
          > greatest(r.started_at, as_of - interval '5 minutes')
    );
end;

comment on function agentdb.rule_missed_tick (timestamptz) is
  'Agents that have not started within the grace of their schedule, or of the '
  'tick_interval that their last run promised.';


create or replace view agentdb.missed_tick as
  select r.labels, r.value, r.annotations
  from agentdb.rule_missed_tick(statement_timestamp()) as r;

comment on view agentdb.missed_tick is
  'Rule: agents whose next tick is overdue.';

select agentdb._declare_rule(
  rule_name => 'missed_tick',
  severity => 'critical',
  health => 'late',
  why => 'A scheduled agent that does not start says nothing at all.',
  evidence => $$
    select s.run_id, s.started_at, s.ended_at, s.state, s.last_step
    from agentdb.run_summary as s
    where s.agent_name = :labels ->> 'agent'
    order by s.started_at desc
    limit 5
  $$,
  ends_when => 'agent {agent} starts a run',
  remedy => $$
    Start the scheduler or process of {agent}; nothing in the database does that.
    agentdb runs --agent {agent}
    agentdb why {agent}
  $$,
  ends_with_run => true
);
