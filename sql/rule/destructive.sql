-- The rule about calls of tools that destroy, in numbers unlike the agent's past.

-- Whoever registers a tool says whether it destroys (MCP servers do); else its name
-- does, where one of its words is delete and the like.
create or replace function agentdb._is_destructive (tool text)
  returns boolean
  language sql
  stable
begin atomic
  select coalesce(
    (select t.destructive from agentdb.tool as t
      where t.tool_name = coalesce(
        (select n.tool_name from agentdb.tool_alias as n where n.alias = tool), tool)),
    regexp_replace(left(tool, 200), '([a-z])([A-Z])', '\1_\2', 'g')
      ~* '(^|[^a-z])(delete|drop|truncate|remove|purge|destroy|wipe|erase)($|[^a-z])');
end;

comment on function agentdb._is_destructive (text) is
  'Whether a tool destroys: as it is registered, else by its name.';


-- By days of the roll-up, so that only agents that called it more often than is never
-- too many have their calls counted.
create or replace function agentdb._destroying (as_of timestamptz)
  returns table (agent_id bigint, tool text)
  language sql
  stable
begin atomic
  with busy as materialized (
    select d.agent_id, d.tool, d.day_at, d.calls
    from agentdb.tool_day as d
    where d.day_at > as_of - interval '2 days'
      and d.day_at <= as_of
      -- Of two days one has half of them: most rows are done with here.
      and d.calls * 2 > (
        select min(w.destructive_calls_count) from agentdb.policy as w)
  ),
  -- A fleet has as many tools as one agent.
  used as materialized (
    select distinct b.tool from busy as b
  ),
  destroying as materialized (
    select u.tool from used as u where agentdb._is_destructive(u.tool)
  )
  select b.agent_id, b.tool
  from busy as b
  join destroying as t on t.tool = b.tool
  join agentdb.agent as a on a.agent_id = b.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where b.day_at + interval '1 day' > as_of - p.destructive_calls_window
  group by b.agent_id, b.tool, p.destructive_calls_count
  having sum(b.calls) > p.destructive_calls_count;
end;

comment on function agentdb._destroying (timestamptz) is
  'Agents that called a tool that destroys more often within two days than is never '
  'too many.';


-- Nine of ten days are normal: one bad day in the past does not hide the next.
create or replace function agentdb.rule_destructive_calls (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'tool', d.tool),
    c.calls::double precision,
    jsonb_build_object(
      'summary', format('%s called %s %s times within %s; %s', a.agent_name, d.tool,
        c.calls, agentdb._within(c.first_at, c.last_at),
        case when n.days = 0 then 'it has no day of it in its past'
          else format('on most of the %s days before it was at most %s a day', n.days,
            round(n.usual)) end),
      'policy', p.policy_name,
      'setting', case when n.days = 0 then 'destructive_calls_count'
        else 'destructive_calls_factor' end,
      'threshold', b.bound,
      'run', c.only_run::text,
      'days', n.days
    )
  from agentdb._destroying(as_of) as d
  join agentdb.agent as a on a.agent_id = d.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral (
    select count(*) as calls, min(l.recorded_at) as first_at,
      max(l.recorded_at) as last_at,
      case when min(l.run_id) = max(l.run_id) then min(l.run_id) end as only_run
    from agentdb.tool_call_log as l
    where l.agent_id = d.agent_id
      and l.tool = d.tool
      and l.recorded_at <= as_of
      and l.recorded_at > as_of - p.destructive_calls_window
  ) as c
  cross join lateral (
    select count(*) as days,
      coalesce(percentile_cont(0.9) within group (order by h.calls), 0)::numeric
        as usual
    from agentdb.tool_day as h
    where h.agent_id = d.agent_id
      and h.tool = d.tool
      and h.day_at >= as_of - interval '28 days'
      and h.day_at + interval '1 day' <= as_of
  ) as n
  cross join lateral (
    select greatest(p.destructive_calls_count,
      p.destructive_calls_factor * n.usual::double precision) as bound
  ) as b
  where c.calls > b.bound;
end;

comment on function agentdb.rule_destructive_calls (timestamptz) is
  'Agents that called a tool that destroys more often within '
  'policy.destructive_calls_window than policy.destructive_calls_count and '
  'destructive_calls_factor times a usual day of theirs.';


create or replace view agentdb.destructive_calls as
  select r.labels, r.value, r.annotations
  from agentdb.rule_destructive_calls(statement_timestamp()) as r;

comment on view agentdb.destructive_calls is
  'Rule: agents that destroy in numbers unlike their past.';

select agentdb._declare_rule(
  rule_name => 'destructive_calls',
  severity => 'critical',
  health => 'harmful',
  why => 'What is deleted by mistake is deleted faster than anybody looks.',
  evidence => $$
    select l.recorded_at, l.run_id, l.ok, l.args
    from agentdb.tool_call_log as l
    join agentdb.agent as a on a.agent_id = l.agent_id
    where a.agent_name = :labels ->> 'agent'
      and l.tool = :labels ->> 'tool'
      and l.recorded_at > :at - interval '1 day'
      and l.recorded_at <= :at
    order by l.recorded_at desc
    limit 10
  $$,
  ends_when => 'fewer such calls are left in policy.destructive_calls_window',
  remedy => $$
    Stop the agent if nobody wants that, and see what is gone.  If {tool} destroys
    nothing, say so: register it with destructive false.
    agentdb pause {agent} --reason …
    agentdb why {agent}
  $$
);
