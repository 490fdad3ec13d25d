-- Agent health: all that the rules and the stops say of an agent, in one word, since
-- when, and why, for whoever is on call.

create or replace function agentdb._health_sign (agent bigint)
  returns table (rank integer, state text, since timestamptz, why text)
  language sql
  stable
begin atomic
  select 0, s.kind, s.stopped_at, format('%s by %s: %s', s.kind, s.stopped_by, s.reason)
  from agentdb.agent_stop as s
  where s.agent_id = agent
  union all
  select
    case l.severity when 'critical' then 1 when 'warning' then 2 else 6 end,
    r.health, l.firing_at,
    format('%s (A-%s)', coalesce(l.annotations ->> 'summary', r.rule_name), l.alert_id)
  from agentdb.agent as a
  join agentdb.alert as l on l.labels ->> 'agent' = a.agent_name and l.state = 'firing'
  join agentdb.alert_rule as r on r.rule_name = l.rule_name
  where a.agent_id = agent
  union all
  select 3, 'unwatched', clock_timestamp() - min(h.silent_for),
    'no runner works, so nobody looks: start agentdb run'
  from agentdb.runner_health as h
  having count(*) filter (where h.healthy) = 0
  union all
  select 4, 'waiting', r.started_at, format('run %s waits until %s UTC: %s', r.run_id,
    to_char(r.held_until_at at time zone 'UTC', 'HH24:MI'), r.hold_reason)
  from agentdb.run as r
  where r.agent_id = agent
    and r.ended_at is null
    and r.held_until_at > clock_timestamp()
  union all
  select 4, 'waiting', q.asked_at, format('run %s waits for an answer to Q-%s: %s',
    q.run_id, q.question_id, left(q.question, 100))
  from agentdb.question as q
  join agentdb.run as r on r.run_id = q.run_id and r.ended_at is null
  where q.agent_id = agent
    and q.answer is null
  union all
  select 5, 'working', r.started_at,
    format('run %s is open%s', r.run_id, '; its last step: ' || left(v.last_step, 100))
  from agentdb.run as r
  left join agentdb.run_activity as v on v.run_id = r.run_id
  where r.agent_id = agent
    and r.ended_at is null
  union all
  (
    select 7, 'idle', r.ended_at, format('run %s %s', r.run_id,
        agentdb._run_state(r.run_id, r.outcome))
    from agentdb.run as r
    where r.agent_id = agent
      and r.ended_at is not null
    -- An index has them by their start; of runs at a time the last to begin is told.
    order by r.started_at desc
    limit 1
  )
  union all
  select 8, 'idle', a.registered_at, 'it has never run'
  from agentdb.agent as a
  where a.agent_id = agent;
end;

comment on function agentdb._health_sign (bigint) is
  'All that can be said of an agent now, rank 0 before all else.';


create or replace view agentdb.agent_health as
  select
    a.agent_name, s.state, s.since,
    s.why || case
      when n.more = 1 then '; and 1 more alert'
      when n.more > 1 then format('; and %s more alerts', n.more) else ''
    end as why,
    s.rank as urgency
  from agentdb.agent as a
  cross join lateral (
    select h.rank, h.state, h.since, h.why
    from agentdb._health_sign(a.agent_id) as h
    order by h.rank, h.since desc
    limit 1
  ) as s
  cross join lateral (
    select count(*) - case when s.rank in (1, 2, 6) then 1 else 0 end as more
    from agentdb.alert as l
    where l.labels ->> 'agent' = a.agent_name
      and l.state = 'firing'
  ) as n;

comment on view agentdb.agent_health is
  'One row an agent: how it is in one word, since when, and why; the worst first that '
  'can be said of it.';
comment on column agentdb.agent_health.agent_name is
  'The agent.';
comment on column agentdb.agent_health.state is
  'killed, paused; a rule''s word such as looping, burning, stuck; unwatched, waiting, '
  'working, idle.';
comment on column agentdb.agent_health.since is
  'Since when it is so.';
comment on column agentdb.agent_health.why is
  'What makes it so, in a sentence.';
comment on column agentdb.agent_health.urgency is
  'Who is looked at first: 0 before all others.';
