-- The rule about runs whose process went away while somebody waited for them.

-- A process that starts again does so after the last word of the one that is gone, but
-- maybe before anybody has seen that it is.  What the run itself started is no other.
create or replace function agentdb._successor (
  agent bigint,
  run bigint,
  instance text,
  since timestamptz,
  as_of timestamptz
)
  returns table (run_id bigint, goes_on boolean)
  language sql
  stable
begin atomic
  select r.run_id, coalesce(r.ended_at > as_of, true)
  from agentdb.run as r
  where r.agent_id = agent
    and r.run_id > run
    and r.instance is not distinct from _successor.instance
    and r.parent_run_id is distinct from run
    and r.opened_by is null
    and r.started_at > since
    and r.started_at <= as_of
  order by r.started_at
  limit 1;
end;

comment on function agentdb._successor (
  bigint, bigint, text, timestamptz, timestamptz) is
  'The first run of an agent and instance that began after the last word of one that '
  'is gone, and whether it is open.';


create or replace function agentdb._locks_kept (
  agent bigint,
  run bigint,
  as_of timestamptz
)
  returns jsonb
  language sql
  stable
  return (
    select jsonb_agg(jsonb_build_object('lock', t.lock_name, 'slot', t.slot,
      'until', t.expires_at) order by t.lock_name, t.slot)
    from agentdb._tenure(as_of) as t
    where t.agent_id = agent
      and t.run_id = run
      and t.expires_at > as_of
  );

comment on function agentdb._locks_kept (bigint, bigint, timestamptz) is
  'The locks that nobody else gets because a run that is gone holds them, and until '
  'when.';


-- A crash is over when nothing follows from it any more, but people shall see it.  Who
-- was stopped is not waited for.
create or replace function agentdb._crash (as_of timestamptz)
  returns table (
    run_id bigint, agent_name text, instance text, ended_at timestamptz, seen text,
    released jsonb, policy_name text, shown interval, kept jsonb, successor bigint,
    goes_on boolean, alone boolean
  )
  language sql
  stable
begin atomic
  select r.run_id, a.agent_name, r.instance, r.ended_at, r.end_reason,
    r.released, p.policy_name, p.crashed_run_window, k.kept, s.run_id,
    s.goes_on, x.alone
  from agentdb.run as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  left join lateral agentdb._successor(r.agent_id, r.run_id, r.instance,
    agentdb._last_event_at(r.run_id, r.started_at), as_of) as s on true
  cross join lateral agentdb._locks_kept(r.agent_id, r.run_id, as_of) as k (kept)
  cross join lateral (
    select s.run_id is null and not exists (
      select from agentdb.agent_stop as t
      where t.agent_id = r.agent_id and t.stopped_at <= as_of) as alone
  ) as x
  where r.outcome = 'crashed'
    and r.ended_at <= as_of
    and r.ended_at > as_of - interval '1 day'
    and (r.tick_interval is not null
      or r.released ?| array['locks', 'slots', 'kept_locks', 'calls'])
    and (r.ended_at > as_of - p.crashed_run_window or k.kept is not null or x.alone);
end;

comment on function agentdb._crash (timestamptz) is
  'Runs that crashed while they promised a tick, held a lock or had a call begun, and '
  'from which something follows at a moment.';


create or replace function agentdb._few (named jsonb)
  returns text
  language sql
  immutable
  return (
    select string_agg(left(n.name, 100), ', ' order by n.place)
    from jsonb_array_elements_text(named -> 'names') with ordinality as n (name, place)
    where n.place <= 3
  ) || case when (named ->> 'count')::bigint > 3
    then format(' and %s more', (named ->> 'count')::bigint - 3) else '' end;

comment on function agentdb._few (jsonb) is
  'The first names of what the end of a run released, and how many more there are.';


create or replace function agentdb._kept_text (kept jsonb)
  returns text
  language sql
  stable
  return (
    select string_agg(
      format('lock %s is kept until %s', left(k.item ->> 'lock', 100),
        agentdb._utc((k.item ->> 'until')::timestamptz)), '; ' order by k.place)
    from jsonb_array_elements(kept) with ordinality as k (item, place)
    where k.place <= 3
  ) || case when jsonb_array_length(kept) > 3
    then format('; so are %s more', jsonb_array_length(kept) - 3) else '' end;

comment on function agentdb._kept_text (jsonb) is
  'The locks that a run that is gone keeps, in words.';


create or replace function agentdb.rule_crashed_run (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', c.agent_name, 'run', c.run_id::text),
    extract(epoch from as_of - c.ended_at)::double precision,
    jsonb_strip_nulls(jsonb_build_object(
      'summary', concat_ws('; ',
        format('run %s of %s%s crashed: %s', c.run_id, c.agent_name,
          ' (' || c.instance || ')', c.seen),
        agentdb._kept_text(c.kept),
        'begun and never ended: ' || agentdb._few(c.released -> 'calls'),
        case
          when c.goes_on then format('it goes on in run %s', c.successor)
          when c.successor is not null
            then format('run %s has started since', c.successor)
          when c.alone then 'nobody has started it again'
          else 'its agent is stopped'
        end),
      'severity', case when c.alone then 'critical' else 'warning' end,
      'policy', c.policy_name,
      'setting', 'crashed_run_window',
      'threshold', extract(epoch from c.shown),
      'since', c.ended_at,
      'seen', c.seen,
      'instance', c.instance,
      'released', nullif(c.released, '{}'),
      'kept_locks', c.kept,
      'lock', case when jsonb_array_length(c.kept) = 1 then c.kept #>> '{0,lock}' end,
      'successor', c.successor
    ))
  from agentdb._crash(as_of) as c;
end;

comment on function agentdb.rule_crashed_run (timestamptz) is
  'Runs whose process is gone although somebody waited for their tick, lock or call; '
  'for policy.crashed_run_window at least, and until they are started again and their '
  'locks are over, for a day at most.';


create or replace view agentdb.crashed_run as
  select r.labels, r.value, r.annotations
  from agentdb.rule_crashed_run(statement_timestamp()) as r;

comment on view agentdb.crashed_run is
  'Rule: runs whose process went away while somebody waited for them.';

select agentdb._declare_rule(
  rule_name => 'crashed_run',
  severity => 'critical',
  health => 'crashed',
  why => 'A process that dies says nothing, and leaves its work half done.',
  evidence => $$
    select s.run_id, s.instance, s.state, s.started_at, s.ended_at, s.end_reason,
      s.released
    from agentdb.run_summary as s
    where s.agent_name = :labels ->> 'agent'
      and s.run_id >= (:labels ->> 'run')::bigint
    order by s.run_id
    limit 5
  $$,
  ends_when => 'the agent is started again, the locks of run {run} are over, and '
                'policy.crashed_run_window has passed; at the latest a day after the '
                'crash',
  remedy => $$
    Start {agent} again if nobody has.  A call that was begun may have done its work:
    look before it is repeated.  A lock that nobody may be at any more can be freed.
    agentdb timeline {run}
    agentdb runs --agent {agent}
    agentdb locks
  $$,
  group_by => '{rule,agent}',
  evaluate_every => '5 seconds'
);
