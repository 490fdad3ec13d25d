-- Rules about tool calls.  Windows are read from the log by time, so their cost follows
-- the traffic of the window and not the history.

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
        a.agent_name, l.tool, count(*), agentdb._span(p.repeated_tool_call_window),
        count(distinct l.args), count(*) filter (where not l.ok)
      ),
      'policy', p.policy_name,
      'threshold', p.repeated_tool_call_count
    )
  from agentdb.tool_call_log as l
  join agentdb.agent as a on a.agent_id = l.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where l.recorded_at <= as_of
    and l.recorded_at > as_of - p.repeated_tool_call_window
    and l.recorded_at > as_of - (
      select max(w.repeated_tool_call_window) from agentdb.policy as w
    )
  group by a.agent_name, l.run_id, l.tool, p.policy_name
  having count(*) > p.repeated_tool_call_count;
end;

comment on function agentdb.rule_repeated_tool_call (timestamptz) is
  'Runs that called one tool more than policy.repeated_tool_call_count times in the '
  'window.';


create or replace view agentdb.repeated_tool_call as
  select r.labels, r.value, r.annotations
  from agentdb.rule_repeated_tool_call(statement_timestamp()) as r;

comment on view agentdb.repeated_tool_call is
  'Rule: runs that call the same tool over and over, the sign of a silent loop.';


create or replace function agentdb.rule_tool_errors (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'tool', l.tool),
    count(*) filter (where not l.ok)::double precision,
    jsonb_build_object(
      'summary', format(
        '%s of %s calls of %s by %s failed in %s; last: %s',
        count(*) filter (where not l.ok), count(*), l.tool, a.agent_name,
        agentdb._span(p.tool_errors_window),
        left((array_agg(l.error order by l.recorded_at desc)
          filter (where not l.ok))[1], 200)
      ),
      'policy', p.policy_name,
      'threshold', p.tool_errors_count
    )
  from agentdb.tool_call_log as l
  join agentdb.agent as a on a.agent_id = l.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where l.recorded_at <= as_of
    and l.recorded_at > as_of - p.tool_errors_window
    and l.recorded_at > as_of - (
      select max(w.tool_errors_window) from agentdb.policy as w
    )
  group by a.agent_name, l.tool, p.policy_name
  having count(*) filter (where not l.ok) >= p.tool_errors_count
    and count(*) filter (where not l.ok) >= p.tool_errors_share * count(*);
end;

comment on function agentdb.rule_tool_errors (timestamptz) is
  'Tools of which an agent''s calls failed at least policy.tool_errors_count times '
  'and tool_errors_share of the time.';


create or replace view agentdb.tool_errors as
  select r.labels, r.value, r.annotations
  from agentdb.rule_tool_errors(statement_timestamp()) as r;

comment on view agentdb.tool_errors is
  'Rule: tools that mostly fail for an agent.';


create or replace function agentdb.rule_hung_tool_call (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object(
      'agent', a.agent_name, 'run', c.run_id::text, 'tool', c.tool, 'call', c.call_id
    ),
    extract(epoch from as_of - c.began_at)::double precision,
    jsonb_build_object(
      'summary', format(
        '%s has waited %3$s for %2$s; the limit is %4$s',
        a.agent_name, c.tool, agentdb._span(as_of - c.began_at),
        agentdb._span(p.hung_tool_call_after)
      ),
      'policy', p.policy_name,
      'threshold', extract(epoch from p.hung_tool_call_after)
    )
  from agentdb.tool_call as c
  join agentdb.run as r on r.run_id = c.run_id
  join agentdb.agent as a on a.agent_id = c.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where (c.ended_at is null or c.ended_at > as_of)
    and c.began_at < as_of - p.hung_tool_call_after
    and (r.ended_at is null or r.ended_at > as_of);
end;

comment on function agentdb.rule_hung_tool_call (timestamptz) is
  'Tool calls of open runs in flight for longer than policy.hung_tool_call_after.';


create or replace view agentdb.hung_tool_call as
  select r.labels, r.value, r.annotations
  from agentdb.rule_hung_tool_call(statement_timestamp()) as r;

comment on view agentdb.hung_tool_call is
  'Rule: tool calls that began and have not ended in time.';
