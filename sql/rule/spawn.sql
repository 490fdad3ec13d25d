-- The rule about runs that start runs without end.

-- What emitters tell of are threads of one session; here a run has started another.
create or replace function agentdb._spawned (as_of timestamptz)
  returns table (
    root_run_id bigint, run_id bigint, agent_id bigint, started_at timestamptz,
    is_open boolean
  )
  language sql
  stable
begin atomic
  select r.root_run_id, r.run_id, r.agent_id, r.started_at,
    coalesce(r.ended_at > as_of, true)
  from agentdb.run as r
  where r.root_run_id is not null
    and r.opened_by is null
    and r.started_at <= as_of
    and r.started_at > as_of - (
      select max(w.spawn_storm_window) from agentdb.policy as w);
end;

comment on function agentdb._spawned (timestamptz) is
  'The runs that others started by spawn tokens within policy.spawn_storm_window.';


create or replace function agentdb.rule_spawn_storm (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'run', r.run_id::text),
    count(*)::double precision,
    jsonb_build_object(
      'summary', format(
        'run %s of %s and its descendants started %s within %s, of %s; %s still open; '
          '%s is a lot', r.run_id, a.agent_name, agentdb._how_many(count(*), 'run'),
        agentdb._within(min(s.started_at), max(s.started_at)),
        agentdb._how_many(count(distinct s.agent_id), 'agent'),
        count(*) filter (where s.is_open), p.spawn_storm_runs),
      'policy', p.policy_name,
      'setting', 'spawn_storm_runs',
      'threshold', p.spawn_storm_runs,
      'since', min(s.started_at),
      'last_run', max(s.run_id)::text
    )
  from agentdb._spawned(as_of) as s
  join agentdb.run as r on r.run_id = s.root_run_id
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where s.started_at > as_of - p.spawn_storm_window
  group by a.agent_name, r.run_id, p.policy_name, p.spawn_storm_runs
  having count(*) > p.spawn_storm_runs;
end;

comment on function agentdb.rule_spawn_storm (timestamptz) is
  'First runs that started, with their descendants, more than policy.spawn_storm_runs '
  'runs in the window.';


create or replace view agentdb.spawn_storm as
  select r.labels, r.value, r.annotations
  from agentdb.rule_spawn_storm(statement_timestamp()) as r;

comment on view agentdb.spawn_storm is
  'Rule: runs that start runs, which start runs, without end.';

select agentdb._declare_rule(
  rule_name => 'spawn_storm',
  severity => 'warning',
  health => 'looping',
  why => 'Runs that start runs multiply what they cost, and nobody sees an end of it.',
  evidence => $$
    select r.started_at, r.run_id, r.parent_run_id, g.agent_name, r.purpose, r.outcome
    from agentdb.run as r
    join agentdb.agent as g on g.agent_id = r.agent_id
    where r.root_run_id = (:labels ->> 'run')::bigint
      and r.started_at <= :at
    order by r.run_id desc
    limit 10
  $$,
  ends_when => 'fewer runs of the tree began in policy.spawn_storm_window',
  remedy => $$
    See who starts whom; stop the whole tree if nobody wants that.
    agentdb timeline {run}
    agentdb kill {run} --tree --reason …
  $$,
  keep_firing => '5 minutes',
  ends_with_run => true
);
