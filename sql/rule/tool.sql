-- Rules about tool calls.  Counts come by the minute (activity/minute.sql), and from
-- the log only the failures of tools that have too many.

create or replace function agentdb.rule_repeated_tool_call (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'run', l.run_id::text, 'tool', l.tool),
    count(*)::double precision,
    jsonb_build_object(
      'summary', format(
        '%s called %s %s times in %s with %s different arguments; %s calls failed',
        a.agent_name, l.tool, count(*),
        agentdb._within(min(l.recorded_at), max(l.recorded_at)),
        count(distinct l.args), count(*) filter (where not l.ok)
      ),
      'policy', p.policy_name,
      'setting', 'repeated_tool_call_count',
      'threshold', p.repeated_tool_call_count
    )
  from agentdb.tool_call_log as l
  join agentdb.agent as a on a.agent_id = l.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where p.repeated_tool_call_count is not null
    and exists (
      select from agentdb.policy as w where w.repeated_tool_call_count is not null
    )
    and l.recorded_at <= as_of
    and l.recorded_at > as_of - p.repeated_tool_call_window
    and l.recorded_at > as_of - (
      select max(w.repeated_tool_call_window) from agentdb.policy as w
    )
  group by a.agent_name, l.run_id, l.tool, p.policy_name
  having count(*) > p.repeated_tool_call_count;
end;

comment on function agentdb.rule_repeated_tool_call (timestamptz) is
  'The playbook''s: runs that called one tool more than '
  'policy.repeated_tool_call_count times in the window.';


create or replace view agentdb.repeated_tool_call as
  select r.labels, r.value, r.annotations
  from agentdb.rule_repeated_tool_call(statement_timestamp()) as r;

comment on view agentdb.repeated_tool_call is
  'Rule: runs that call the same tool over and over, whatever comes of it.';

select agentdb._declare_rule(
  rule_name => 'repeated_tool_call',
  severity => 'warning',
  health => 'looping',
  why => 'The same call again and again is the sign of a silent loop.',
  evidence => $$
    select l.recorded_at, l.tool, l.ok, l.result_size, l.error, l.args
    from agentdb.tool_call_log as l
    where l.run_id = (:labels ->> 'run')::bigint
      and l.tool = :labels ->> 'tool'
      and l.recorded_at <= :at
    order by l.recorded_at desc
    limit 10
  $$,
  ends_when => 'fewer such calls are left in policy.repeated_tool_call_window',
  remedy => $$
    See whether the calls bring anything new; stop the run if they do not.
    agentdb timeline {run}
    agentdb kill {run} --reason …
  $$
);


create or replace function agentdb._failing_tool (as_of timestamptz)
  returns table (
    agent_id bigint, policy_name text, tool text, calls bigint, errors bigint,
    last_error text, first_at timestamptz, last_at timestamptz, failed bigint[],
    only_run bigint
  )
  language sql
  stable
begin atomic
  with watched as materialized (
    select a.agent_id, p.policy_name, p.tool_errors_window as span, p.tool_errors_count,
      p.tool_errors_share
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
  ),
  failing as materialized (
    select u.*, w.policy_name, w.span
    from (select distinct p.tool_errors_window as span from agentdb.policy as p) as s
    cross join lateral agentdb._tool_use(as_of - s.span, as_of) as u
    join watched as w on w.agent_id = u.agent_id and w.span = s.span
    where u.errors >= w.tool_errors_count
      and u.errors >= w.tool_errors_share * u.calls
  )
  select
    f.agent_id, f.policy_name, f.tool, f.calls, f.errors,
    left((array_agg(l.error order by l.recorded_at desc))[1], 200),
    f.first_at, f.last_at,
    (array_agg(l.tool_call_log_id order by l.recorded_at desc))[1:10],
    case when min(l.run_id) = max(l.run_id) then min(l.run_id) end
  from failing as f
  join agentdb.tool_call_log as l on l.agent_id = f.agent_id and l.tool = f.tool
  where not l.ok
    and l.recorded_at <= as_of
    and l.recorded_at > as_of - f.span
    and l.recorded_at > as_of - (select max(o.span) from failing as o)
  group by f.agent_id, f.policy_name, f.tool, f.calls, f.errors, f.first_at, f.last_at;
end;

comment on function agentdb._failing_tool (timestamptz) is
  'Tools of which an agent''s calls failed at least policy.tool_errors_count times '
  'and tool_errors_share of the time.';


-- Some tools fail all day, such as a search that finds nothing, or a booking where
-- nothing is free.  A tool that nobody knows yet is taken to fail once in twenty calls,
-- and has to fail twice as often, unless it is registered.
create or replace function agentdb.rule_tool_errors (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'tool', f.tool),
    f.errors::double precision,
    jsonb_build_object(
      'summary', format(
        '%s of %s calls of %s by %s failed in %s; last: %s',
        f.errors, f.calls, f.tool, a.agent_name, agentdb._within(f.first_at, f.last_at),
        f.last_error
      ),
      'policy', p.policy_name,
      'setting', 'tool_errors_count',
      'threshold', n.enough,
      'normal_share', round(n.share::numeric, 3),
      'calls', f.failed,
      'run', f.only_run::text
    )
  from agentdb._failing_tool(as_of) as f
  join agentdb.agent as a on a.agent_id = f.agent_id
  join agentdb.policy as p on p.policy_name = f.policy_name
  cross join lateral (
    select
      (coalesce(sum(d.errors), 0) + 1)::double precision
        / (coalesce(sum(d.calls), 0) + 20) as share,
      case when sum(d.calls) >= 20 or exists (
          select from agentdb.tool as t where t.tool_name = f.tool)
        then 1 else 2 end * p.tool_errors_count as enough
    from agentdb.tool_day as d
    where d.agent_id = f.agent_id
      and d.tool = f.tool
      and d.day_at >= as_of - p.tool_errors_baseline
      and d.day_at + interval '1 day' <= as_of
  ) as n
  cross join lateral agentdb._excused_errors(f.agent_id, f.tool,
    as_of - p.tool_errors_window, p.silent_loop_poll, as_of) as x (excused)
  where f.errors - x.excused >= n.enough
    and (p.tool_errors_sigma is null or f.errors > f.calls * n.share
      + p.tool_errors_sigma * sqrt(f.calls * n.share * (1 - n.share)));
end;

comment on function agentdb.rule_tool_errors (timestamptz) is
  'Tools that fail for an agent often, mostly, and by policy.tool_errors_sigma more '
  'than is normal for them.';


create or replace view agentdb.tool_errors as
  select r.labels, r.value, r.annotations
  from agentdb.rule_tool_errors(statement_timestamp()) as r;

comment on view agentdb.tool_errors is
  'Rule: tools that fail for an agent more than they normally do.';

-- Waits for one look more, of 15 seconds; it may come a moment early.
select agentdb._declare_rule(
  rule_name => 'tool_errors',
  severity => 'warning',
  health => 'failing',
  why => 'A tool that mostly fails is misused, forbidden or broken.',
  evidence => $$
    select l.recorded_at, l.run_id, l.error, l.args
    from agentdb.tool_call_log as l
    join agentdb.agent as a on a.agent_id = l.agent_id
    where a.agent_name = :labels ->> 'agent'
      and l.tool = :labels ->> 'tool'
      and not l.ok
      and l.recorded_at > :at - interval '1 day'
      and l.recorded_at <= :at
    order by l.recorded_at desc
    limit 10
  $$,
  ends_when => 'fewer calls of {tool} fail in policy.tool_errors_window',
  remedy => $$
    Fix what the error and the diagnosis name; grant only what {agent} is meant to
    do.
    agentdb why {agent}
    agentdb doctor
  $$,
  fire_after => '10 seconds',
  keep_firing => '5 minutes'
);


create or replace function agentdb.rule_hung_tool_call (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object(
      'agent', a.agent_name, 'run', r.run_id::text, 'tool', c.tool, 'call', c.call_id
    ),
    extract(epoch from as_of - c.began_at)::double precision,
    jsonb_build_object(
      'summary', format(
        '%s has waited %3$s for %2$s; the limit is %4$s',
        a.agent_name, c.tool, agentdb._span(as_of - c.began_at),
        agentdb._span(l.after)
      ),
      'policy', p.policy_name,
      'setting', 'hung_tool_call_after',
      'threshold', extract(epoch from l.after)
    )
  from agentdb._call_in_flight(as_of) as c
  join agentdb._open_run(as_of) as r on r.run_id = c.run_id
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  left join agentdb.tool as t on t.tool_name = c.tool
  cross join lateral (
    select case when c.expected is null
      then coalesce(t.longest, p.hung_tool_call_after)
      else least(c.expected, p.max_long_call) end as after
  ) as l
  where c.began_at < as_of - l.after
    -- What waits for a run that it started is not what hangs.
    and coalesce(agentdb._child_until(r.run_id, as_of) < as_of - l.after, true)
    -- Whoever is paused cannot say that a call has ended.
    and not agentdb._is_paused(r.run_id, as_of);
end;

comment on function agentdb.rule_hung_tool_call (timestamptz) is
  'Tool calls of open runs in flight for longer than was announced when they began, '
  'else than tool.longest, else than policy.hung_tool_call_after.';


create or replace view agentdb.hung_tool_call as
  select r.labels, r.value, r.annotations
  from agentdb.rule_hung_tool_call(statement_timestamp()) as r;

comment on view agentdb.hung_tool_call is
  'Rule: tool calls that began and have not ended in time.';

select agentdb._declare_rule(
  rule_name => 'hung_tool_call',
  severity => 'warning',
  health => 'stuck',
  why => 'A call that never returns stops the run without an error.',
  evidence => $$
    select c.began_at, c.tool, c.call_id, c.args, c.ended_at
    from agentdb.tool_call as c
    where c.run_id = (:labels ->> 'run')::bigint
      and c.call_id = :labels ->> 'call'
  $$,
  ends_when => 'the call ends, or run {run} does',
  remedy => $$
    Look at what {tool} waits for; if nothing will come of it, stop the run.
    agentdb timeline {run}
    agentdb kill {run} --reason …
  $$,
  ends_with_run => true
);
