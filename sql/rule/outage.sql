-- The rule about a tool that fails for several agents at once: the tool is what is
-- broken, and each agent's own errors follow from it.

create or replace function agentdb.rule_tool_outage (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  with watched as materialized (
    select a.agent_id, a.agent_name, p.policy_name, p.tool_outage_agents,
      p.tool_errors_window as span, p.tool_errors_share, p.tool_errors_sigma,
      p.tool_errors_baseline
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    where p.tool_outage_agents is not null
  ),
  failing as materialized (
    select u.tool, sum(u.calls)::bigint as calls, sum(u.errors)::bigint as errors,
      count(*) filter (where u.errors > 0) as agents,
      min(w.policy_name) as policy_name, min(w.tool_outage_agents) as threshold,
      min(w.tool_errors_share) as share, min(w.tool_errors_sigma) as sigma,
      min(w.tool_errors_baseline) as baseline
    from (select distinct o.span from watched as o) as s
    cross join lateral agentdb._tool_use(as_of - s.span, as_of) as u
    join watched as w on w.agent_id = u.agent_id and w.span = s.span
    group by u.tool
    having count(*) filter (where u.errors > 0) >= min(w.tool_outage_agents)
      and sum(u.errors) >= min(w.tool_errors_share) * sum(u.calls)
  ),
  failed as (
    select l.tool, min(l.recorded_at) as first_at, max(l.recorded_at) as last_at,
      (array_agg(w.agent_name order by l.recorded_at desc))[1] as last_agent,
      left((array_agg(l.error order by l.recorded_at desc))[1], 200) as last_error,
      (array_agg(l.tool_call_log_id order by l.recorded_at desc))[1:10] as calls
    from agentdb.tool_call_log as l
    join watched as w on w.agent_id = l.agent_id
    where not l.ok
      and l.tool in (select f.tool from failing as f)
      and l.recorded_at <= as_of
      and l.recorded_at > as_of - w.span
      and l.recorded_at > as_of - (select max(o.span) from watched as o)
    group by l.tool
  )
  select
    jsonb_build_object('tool', f.tool),
    f.agents::double precision,
    jsonb_build_object(
      'summary', format(
        '%s fails for %s agents at once: %s of %s calls in %s; last, by %s: %s', f.tool,
        f.agents, f.errors, f.calls, agentdb._within(l.first_at, l.last_at),
        l.last_agent, l.last_error
      ),
      'policy', f.policy_name,
      'setting', 'tool_outage_agents',
      'threshold', f.threshold,
      'since', l.first_at,
      'calls', l.calls
    )
  from failing as f
  join failed as l on l.tool = f.tool
  cross join lateral (
    select
      (coalesce(sum(d.errors), 0) + 1)::double precision
        / (coalesce(sum(d.calls), 0) + 20) as share
    from agentdb.tool_day as d
    where d.tool = f.tool
      and d.day_at >= as_of - f.baseline
      and d.day_at + interval '1 day' <= as_of
  ) as n
  where (f.sigma is null or f.errors > f.calls * n.share
      + f.sigma * sqrt(f.calls * n.share * (1 - n.share)));
end;

comment on function agentdb.rule_tool_outage (timestamptz) is
  'Tools whose calls mostly fail, by more than is normal for them, for at least '
  'policy.tool_outage_agents agents in policy.tool_errors_window.';


create or replace view agentdb.tool_outage as
  select r.labels, r.value, r.annotations
  from agentdb.rule_tool_outage(statement_timestamp()) as r;

comment on view agentdb.tool_outage is
  'Rule: tools that fail for several agents at once.';

select agentdb._declare_rule(
  rule_name => 'tool_outage',
  severity => 'warning',
  health => 'failing',
  why => 'What fails for everybody is no agent''s fault, and each agent tries on.',
  evidence => $$
    select l.recorded_at, a.agent_name, l.run_id, l.error
    from agentdb.tool_call_log as l
    join agentdb.agent as a on a.agent_id = l.agent_id
    where l.tool = :labels ->> 'tool'
      and not l.ok
      and l.recorded_at > :at - interval '1 hour'
      and l.recorded_at <= :at
    order by l.recorded_at desc
    limit 10
  $$,
  ends_when => 'fewer agents fail with {tool} in policy.tool_errors_window',
  remedy => $$
    Repair what {tool} talks to; pause the agents that can do nothing without it.
    agentdb status
  $$,
  keep_firing => '5 minutes'
);
