-- The rule about agents that log more than anybody could do.

-- Whatever the calls are: who says more than a working agent could do fills the logs,
-- and hides in them what it does.
create or replace function agentdb.rule_call_flood (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  -- Made first: joined one by one, every row of the window would meet every agent.
  with watched as materialized (
    select a.agent_id, a.agent_name, p.policy_name, p.call_flood_window,
      p.call_flood_count
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
  )
  select
    jsonb_build_object('agent', w.agent_name),
    count(*)::double precision,
    jsonb_build_object(
      'summary', format(
        '%s logged %s tool calls and steps within %s; %s is a lot', w.agent_name,
        count(*), agentdb._span(w.call_flood_window), w.call_flood_count
      ),
      'policy', w.policy_name,
      'setting', 'call_flood_count',
      'threshold', w.call_flood_count,
      'run', (mode() within group (order by l.run_id))::text
    )
  from (
    select c.agent_id, c.run_id, c.recorded_at
    from agentdb.tool_call_log as c
    where c.recorded_at <= as_of
      and c.recorded_at > as_of - (
        select max(w.call_flood_window) from agentdb.policy as w)
    union all
    select r.agent_id, s.run_id, s.recorded_at
    from agentdb.progress_log as s
    join agentdb.run as r on r.run_id = s.run_id
    where s.recorded_at <= as_of
      and s.recorded_at > as_of - (
        select max(w.call_flood_window) from agentdb.policy as w)
  ) as l
  join watched as w on w.agent_id = l.agent_id
  where l.recorded_at > as_of - w.call_flood_window
  group by w.agent_name, w.policy_name, w.call_flood_window, w.call_flood_count
  having count(*) > w.call_flood_count;
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
