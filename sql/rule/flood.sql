-- The rule about agents that log more than anybody could do.

create or replace function agentdb._busiest_run (
  agent bigint,
  since timestamptz,
  as_of timestamptz
)
  returns bigint
  language sql
  stable
begin atomic
  select mode() within group (order by e.run_id)
  from (
    select c.run_id
    from agentdb.tool_call_log as c
    where c.agent_id = agent and c.recorded_at > since and c.recorded_at <= as_of
    union all
    select s.run_id
    from agentdb.progress_log as s
    where s.agent_id = agent and s.recorded_at > since and s.recorded_at <= as_of
  ) as e;
end;

comment on function agentdb._busiest_run (bigint, timestamptz, timestamptz) is
  'The run of an agent with the most tool calls and steps in a span of time.';


-- Whatever the calls are: who says more than a working agent could do fills the logs,
-- and hides in them what it does.
create or replace function agentdb.rule_call_flood (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  with watched as materialized (
    select a.agent_id, a.agent_name, p.policy_name, p.call_flood_window as span,
      p.call_flood_count as enough
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
  )
  select
    jsonb_build_object('agent', f.agent_name),
    f.events::double precision,
    jsonb_build_object(
      'summary', format(
        '%s logged %s tool calls and steps within %s; %s is a lot', f.agent_name,
        f.events, agentdb._span(f.span), f.enough
      ),
      'policy', f.policy_name,
      'setting', 'call_flood_count',
      'threshold', f.enough,
      'run', agentdb._busiest_run(f.agent_id, as_of - f.span, as_of)::text
    )
  from (
    select w.*, sum(u.events)::bigint as events
    from (select distinct o.span from watched as o) as s
    cross join lateral (
      select t.agent_id, t.calls as events
      from agentdb._tool_use(as_of - s.span, as_of) as t
      union all
      select p.agent_id, p.steps from agentdb._step_use(as_of - s.span, as_of) as p
    ) as u
    join watched as w on w.agent_id = u.agent_id and w.span = s.span
    group by w.agent_id, w.agent_name, w.policy_name, w.span, w.enough
    having sum(u.events) > w.enough
  ) as f;
end;

comment on function agentdb.rule_call_flood (timestamptz) is
  'Agents that logged more than policy.call_flood_count tool calls and steps in the '
  'window.';


create or replace view agentdb.call_flood as
  select r.labels, r.value, r.annotations
  from agentdb.rule_call_flood(statement_timestamp()) as r;

comment on view agentdb.call_flood is
  'Rule: agents that log more than a working one could do.';

select agentdb._declare_rule(
  rule_name => 'call_flood',
  severity => 'warning',
  health => 'looping',
  why => 'A flood of calls fills the disk, and hides what its agent does.',
  evidence => $$
    select l.run_id, l.tool, count(*) as calls, min(l.recorded_at) as first_at,
      max(l.recorded_at) as last_at
    from agentdb.tool_call_log as l
    join agentdb.agent as a on a.agent_id = l.agent_id
    where a.agent_name = :labels ->> 'agent'
      and l.recorded_at > :at - interval '1 hour'
      and l.recorded_at <= :at
    group by l.run_id, l.tool
    order by calls desc
    limit 10
  $$,
  ends_when => 'fewer calls and steps are left in policy.call_flood_window',
  remedy => $$
    See what its runs call; stop the agent if nobody wants that.
    agentdb why {agent}
    agentdb kill {agent} --reason …
  $$,
  keep_firing => '5 minutes'
);
