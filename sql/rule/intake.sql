-- Rules about what emitters tell: sessions whose hooks are missing, and events that
-- name an agent and prove nothing.

-- Hooks fail open: what switches them off switches off what would have been denied.
create or replace function agentdb._hookless (as_of timestamptz)
  returns table (
    run_id bigint, agent_name text, policy_name text, conversation text,
    since timestamptz, after interval, never boolean
  )
  language sql
  stable
begin atomic
  select c.run_id, c.agent_name, c.policy_name, c.conversation,
    coalesce(c.hook_at, c.started_at), c.unhooked_after, c.hook_at is null
  from (
    select r.run_id, a.agent_name, p.policy_name, r.conversation, r.started_at,
      s.hook_at, p.unhooked_after
    from agentdb._open_run(as_of) as r
    join agentdb.run as o on o.run_id = r.run_id and o.parent_run_id is null
    join agentdb.agent as a on a.agent_id = r.agent_id and not a.imported
    join agentdb.policy as p on p.policy_name = a.policy_name
    left join agentdb.intake_session as s
      on (s.agent_id, s.conversation, s.thread) = (r.agent_id, r.conversation, '')
      and s.first_at <= as_of
    where r.started_at < as_of - p.unhooked_after
      and coalesce(s.hook_at < as_of - p.unhooked_after, true)
      -- Of an agent that has other runs too only the sessions of emitters count.
      and (p.expects_hooks or p.expects_hooks is null and s.run_id is not null
        and exists (
          select from agentdb.intake_session as h
          where h.agent_id = r.agent_id and h.hooked and h.first_at <= as_of))
    offset 0
  ) as c
  -- It was at work, and no hook told of it; of a run of a million calls the latest.
  where exists (
    select from (
      select l.recorded_by, l.recorded_at
      from agentdb.tool_call_log as l
      where l.run_id = c.run_id
      order by l.tool_call_log_id desc
      limit 200
    ) as l
    where l.recorded_by is distinct from 'hook'
      and l.recorded_at <= as_of
      and l.recorded_at > coalesce(c.hook_at + c.unhooked_after, c.started_at));
end;

comment on function agentdb._hookless (timestamptz) is
  'The open sessions that ought to have hooks and called tools without one for '
  'policy.unhooked_after.';


create or replace function agentdb.rule_unhooked_session (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', h.agent_name, 'run', h.run_id::text),
    extract(epoch from as_of - h.since)::double precision,
    jsonb_build_object(
      'summary', format('session %s of %s calls tools, and %s: nothing can be denied '
        'it there', left(h.conversation, 100), h.agent_name,
        case when h.never then 'no hook has ever told of it'
          else 'its hooks have been silent for ' || agentdb._span(as_of - h.since) end),
      'policy', h.policy_name,
      'setting', 'unhooked_after',
      'threshold', extract(epoch from h.after),
      'since', h.since
    )
  from agentdb._hookless(as_of) as h;
end;

comment on function agentdb.rule_unhooked_session (timestamptz) is
  'Open sessions of agents that have hooks (policy.expects_hooks, or their other '
  'sessions do) which call tools and run none.';


create or replace view agentdb.unhooked_session as
  select r.labels, r.value, r.annotations
  from agentdb.rule_unhooked_session(statement_timestamp()) as r;

comment on view agentdb.unhooked_session is
  'Rule: sessions whose hooks are missing or have fallen silent.';

select agentdb._declare_rule(
  rule_name => 'unhooked_session',
  severity => 'warning',
  health => 'unhooked',
  why => 'Hooks fail open: a session without them is not asked, denied or stopped.',
  evidence => $$
    select l.recorded_at, l.recorded_by, l.tool, l.ok, l.args
    from agentdb.tool_call_log as l
    where l.run_id = (:labels ->> 'run')::bigint
      and l.recorded_by is distinct from 'hook'
      and l.recorded_at <= :at
    order by l.recorded_at desc
    limit 10
  $$,
  ends_when => 'a hook reports run {run}, or it ends',
  remedy => $$
    Look whether its settings still have the hooks, and whether they reach the server;
    stop it if nobody can say why they are gone.
    agentdb intake problems
    agentdb kill {run} --reason …
  $$,
  ends_with_run => true
);


create or replace function agentdb.rule_unproven_activity (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name),
    sum(h.events)::double precision,
    jsonb_build_object(
      'summary', format('%s events within %s name agent %s and prove nothing: they are '
        'kept, and count for nothing', sum(h.events),
        agentdb._span(p.unproven_activity_window), a.agent_name),
      'policy', p.policy_name,
      'setting', 'unproven_activity_count',
      'threshold', p.unproven_activity_count,
      'since', min(h.hour_at)
    )
  from agentdb.unproven_hour as h
  join agentdb.agent as a on a.agent_id = h.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where h.hour_at <= as_of
    and h.last_at > as_of - p.unproven_activity_window
  group by a.agent_name, p.policy_name, p.unproven_activity_window,
    p.unproven_activity_count
  having sum(h.events) >= p.unproven_activity_count;
end;

comment on function agentdb.rule_unproven_activity (timestamptz) is
  'Agents that policy.unproven_activity_count events named without proof within the '
  'window.';


create or replace view agentdb.unproven_activity as
  select r.labels, r.value, r.annotations
  from agentdb.rule_unproven_activity(statement_timestamp()) as r;

comment on view agentdb.unproven_activity is
  'Rule: agents that events name which prove nothing.';

select agentdb._declare_rule(
  rule_name => 'unproven_activity',
  severity => 'warning',
  health => 'unproven',
  why => 'Either an emitter lacks its token, and what its agent does counts for '
          'nothing, or somebody speaks in its name.',
  evidence => $$
    select u.recorded_at, u.kind, u.what, u.emitter, u.conversation
    from agentdb.unproven_event as u
    where u.agent_name = :labels ->> 'agent'
      and u.recorded_at <= :at
    order by u.recorded_at desc
    limit 10
  $$,
  ends_when => 'no more such events name {agent}',
  remedy => $$
    If it is the agent, give its emitter a token; if not, find what sends them.
    agentdb intake token {agent}
  $$,
  keep_firing => '10 minutes'
);
