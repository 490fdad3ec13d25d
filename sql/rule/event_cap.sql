-- The rule about agents that have stored as much as they may today.

create or replace function agentdb.rule_event_cap (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name),
    u.unstored::double precision,
    jsonb_build_object(
      'summary', format(
        '%s has stored %s events today, %s, and reached policy.%s (%s): %s counted and '
          'not stored', a.agent_name, d.events, pg_size_pretty(d.bytes), d.capped_by,
        l.shown, agentdb._how_many(u.unstored, 'event')
          || case when u.unstored = 1 then ' is' else ' are' end
      ),
      'policy', p.policy_name,
      'setting', d.capped_by,
      'threshold', l.most,
      'events', d.events,
      'bytes', d.bytes,
      'advice', agentdb._cap_text(d.capped_by, l.most)
    )
  from agentdb.event_day as d
  join agentdb.agent as a on a.agent_id = d.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral (
    select
      case d.capped_by when 'max_events_per_day' then p.max_events_per_day
        else p.max_event_bytes_per_day end as most,
      case d.capped_by when 'max_events_per_day' then p.max_events_per_day::text
        else pg_size_pretty(p.max_event_bytes_per_day) end as shown
  ) as l
  cross join lateral (
    select d.unstored + coalesce(sum(o.tool_calls + o.steps + o.model_calls), 0)::bigint
        as unstored
    from agentdb.event_unstored as o
    where o.agent_id = d.agent_id
      and o.half_hour_at >= d.day_at
      and o.half_hour_at < d.day_at + interval '1 day'
  ) as u
  where d.day_at = date_bin('1 day', as_of, 'epoch')
    and d.capped_by is not null;
end;

comment on function agentdb.rule_event_cap (timestamptz) is
  'Agents that have stored policy.max_events_per_day, or '
  'policy.max_event_bytes_per_day, on the UTC day of a moment.';


create or replace view agentdb.event_cap as
  select r.labels, r.value, r.annotations
  from agentdb.rule_event_cap(statement_timestamp()) as r;

comment on view agentdb.event_cap is
  'Rule: agents that have stored as many events as they may today, so that what they '
  'log is counted and not stored.';

select agentdb._declare_rule(
  rule_name => 'event_cap',
  severity => 'warning',
  why => 'What is not stored cannot be looked at, and rules that read the logs do not '
          'see it.',
  health => 'unrecorded',
  evidence => $$
    select l.run_id, l.tool, count(*) as calls, min(l.recorded_at) as first_at,
      max(l.recorded_at) as last_at
    from agentdb.tool_call_log as l
    join agentdb.agent as a on a.agent_id = l.agent_id
    where a.agent_name = :labels ->> 'agent'
      and l.recorded_at >= date_bin('1 day', :at, 'epoch')
      and l.recorded_at <= :at
    group by l.run_id, l.tool
    order by calls desc
    limit 10
  $$,
  ends_when => 'the UTC day is over, or the cap is raised',
  remedy => $$
    See what it logs, and have it log less; else raise policy.max_events_per_day or
    max_event_bytes_per_day, or stop it.
    agentdb why {agent}
    select * from agentdb.events_by_agent_day where agent_name = {agent};
    agentdb kill {agent} --reason …
  $$
);
